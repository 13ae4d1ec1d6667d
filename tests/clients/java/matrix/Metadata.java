/*
 * Cases of the JDBC driver: DatabaseMetaData, as DBeaver and its like use it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

final class Metadata {
    private Metadata() {}

    private static void prepare(Connection connection) throws SQLException {
        Matrix.update(connection, "CREATE SCHEMA IF NOT EXISTS jdbc_meta");
        Matrix.update(connection, "DROP TABLE IF EXISTS jdbc_meta.child");
        Matrix.update(connection,
                "CREATE OR REPLACE TABLE jdbc_meta.parent (a INTEGER, b VARCHAR, price DECIMAL(10, 2)"
                + " NOT NULL DEFAULT 1.5, PRIMARY KEY (a, b))");
        Matrix.update(connection, "CREATE TABLE jdbc_meta.child (i BIGINT PRIMARY KEY, a INTEGER, b VARCHAR,"
                + " FOREIGN KEY (a, b) REFERENCES jdbc_meta.parent (a, b))");
        Matrix.update(connection, "CREATE OR REPLACE VIEW jdbc_meta.looks AS SELECT 1 AS one");
    }

    /** Some argument for each parameter: names that exist, all of a pattern, true and 0. */
    private static Object[] arguments(Method method) {
        List<Object> found = new ArrayList<>();
        for (Class<?> type : method.getParameterTypes()) {
            if (type == String.class) {
                boolean key = method.getName().matches(".*Keys|getCrossReference");
                found.add(key && found.size() % 3 == 2 ? "parent" : null);
            } else if (type == int.class) {
                found.add(method.getName().contains("Isolation") ? Connection.TRANSACTION_REPEATABLE_READ
                        : ResultSet.TYPE_FORWARD_ONLY);
            } else if (type == boolean.class) {
                found.add(true);
            } else {
                found.add(null);
            }
        }
        return found.toArray();
    }

    private static void drain(Object value) throws SQLException {
        if (value instanceof ResultSet) {
            Matrix.rows((ResultSet) value);
        }
    }

    /** Methods that the driver itself (18.3.0) refuses; every other one answers. */
    private static final Set<String> REFUSED_BY_THE_DRIVER = Set.of(
            "ownUpdatesAreVisible", "ownDeletesAreVisible", "ownInsertsAreVisible",
            "othersUpdatesAreVisible", "othersDeletesAreVisible", "othersInsertsAreVisible",
            "updatesAreDetected", "deletesAreDetected", "insertsAreDetected",
            "supportsResultSetHoldability");

    private static void everyMethod(Connection connection) throws Exception {
        prepare(connection);
        DatabaseMetaData facts = connection.getMetaData();
        Set<String> refused = new TreeSet<>();
        List<String> wrong = new ArrayList<>();
        int called = 0;
        for (Method method : DatabaseMetaData.class.getMethods()) {
            if (Arrays.asList("unwrap", "isWrapperFor").contains(method.getName())) {
                continue;
            }
            called++;
            try {
                drain(method.invoke(facts, arguments(method)));
            } catch (InvocationTargetException thrown) {
                if (String.valueOf(thrown.getCause().getMessage()).endsWith("implement this method")) {
                    refused.add(method.getName());
                } else {
                    wrong.add(method.getName() + ": " + thrown.getCause());
                }
            }
        }
        Matrix.equal("[]", wrong);
        Matrix.equal(new TreeSet<>(REFUSED_BY_THE_DRIVER), refused);
        Matrix.require(called > 150, "only " + called + " methods");
    }

    private static void values(Connection connection) throws SQLException {
        DatabaseMetaData facts = connection.getMetaData();
        Matrix.equal("Volley", facts.getDatabaseProductName());
        Matrix.require(facts.getDatabaseProductVersion().startsWith("duckdb v"),
                facts.getDatabaseProductVersion());
        Matrix.equal("\"", facts.getIdentifierQuoteString());
        Matrix.equal(false, facts.isReadOnly());
        Matrix.equal(false, facts.supportsSavepoints());
        Matrix.equal(true, facts.supportsTransactions());
        Matrix.equal(true, facts.supportsOuterJoins());
        Matrix.equal(true, facts.supportsFullOuterJoins());
        Matrix.equal(true, facts.supportsGroupBy());
        Matrix.equal(true, facts.supportsUnion());
        Matrix.equal(true, facts.supportsUnionAll());
        Matrix.equal(true, facts.supportsSubqueriesInExists());
        Matrix.equal(true, facts.supportsCorrelatedSubqueries());
        Matrix.equal(true, facts.supportsSchemasInTableDefinitions());
        Matrix.equal(true, facts.supportsCatalogsInDataManipulation());
        Matrix.equal("schema", facts.getSchemaTerm());
        Matrix.require(facts.getSQLKeywords().contains("QUALIFY"), facts.getSQLKeywords());
        Matrix.require(facts.getNumericFunctions().contains("sqrt"), facts.getNumericFunctions());
        Matrix.require(facts.getStringFunctions().contains("lower"), facts.getStringFunctions());
        Matrix.require(facts.getTimeDateFunctions().contains("date_trunc"), facts.getTimeDateFunctions());
    }

    private static List<String> column(ResultSet result, String... names) throws SQLException {
        List<String> found = new ArrayList<>();
        while (result.next()) {
            List<String> cells = new ArrayList<>();
            for (String name : names) {
                cells.add(String.valueOf(result.getObject(name)));
            }
            found.add(String.join("|", cells));
        }
        result.close();
        return found;
    }

    private static void tables(Connection connection) throws SQLException {
        prepare(connection);
        DatabaseMetaData facts = connection.getMetaData();
        Matrix.require(column(facts.getCatalogs(), "TABLE_CAT").contains("memory"), "no catalog memory");
        Matrix.equal("[jdbc_meta|memory]",
                column(facts.getSchemas("memory", "jdbc\\_meta"), "TABLE_SCHEM", "TABLE_CATALOG"));
        Matrix.require(column(facts.getSchemas(), "TABLE_SCHEM").contains("main"), "no schema main");
        Matrix.require(column(facts.getTableTypes(), "TABLE_TYPE").containsAll(List.of("TABLE", "VIEW")),
                "types");
        Matrix.equal("[memory|jdbc_meta|child|TABLE, memory|jdbc_meta|looks|VIEW,"
                + " memory|jdbc_meta|parent|TABLE]",
                column(facts.getTables(null, "jdbc_meta", "%", null), "TABLE_CAT", "TABLE_SCHEM",
                        "TABLE_NAME", "TABLE_TYPE"));
        Matrix.equal("[looks]",
                column(facts.getTables("memory", "jdbc%", null, new String[] {"VIEW"}), "TABLE_NAME"));
        Matrix.equal("[child, parent]",
                column(facts.getTables(null, "jdbc_meta", null, new String[] {"TABLE", "BASE TABLE"}),
                        "TABLE_NAME"));
        Matrix.equal("[]", column(facts.getTables(null, "jdbc_none", "%", null), "TABLE_NAME"));
    }

    private static void columns(Connection connection) throws SQLException {
        prepare(connection);
        DatabaseMetaData facts = connection.getMetaData();
        Matrix.equal("[a|" + Types.INTEGER + "|INTEGER|1|NO, b|" + Types.VARCHAR + "|VARCHAR|2|NO, price|"
                + Types.DECIMAL + "|DECIMAL(10,2)|3|NO]",
                column(facts.getColumns(null, "jdbc_meta", "parent", "%"), "COLUMN_NAME", "DATA_TYPE",
                        "TYPE_NAME", "ORDINAL_POSITION", "IS_NULLABLE"));
        Matrix.equal("[10|2]",
                column(facts.getColumns(null, "jdbc_meta", "parent", "pri%"), "COLUMN_SIZE",
                        "DECIMAL_DIGITS"));
        Matrix.equal("[one]", column(facts.getColumns("memory", "jdbc_meta", "looks", null), "COLUMN_NAME"));
    }

    private static void keys(Connection connection) throws SQLException {
        prepare(connection);
        DatabaseMetaData facts = connection.getMetaData();
        Matrix.equal("[parent|a|1, parent|b|2]",
                column(facts.getPrimaryKeys("memory", "jdbc_meta", "parent"), "TABLE_NAME", "COLUMN_NAME",
                        "KEY_SEQ"));
        String wanted = "[parent|a|child|a|1, parent|b|child|b|2]";
        String[] names = {"PKTABLE_NAME", "PKCOLUMN_NAME", "FKTABLE_NAME", "FKCOLUMN_NAME", "KEY_SEQ"};
        Matrix.equal(wanted, column(facts.getImportedKeys(null, "jdbc_meta", "child"), names));
        Matrix.equal(wanted, column(facts.getExportedKeys(null, "jdbc_meta", "parent"), names));
        ResultSet between = facts.getCrossReference(null, "jdbc_meta", "parent", null, "jdbc_meta", "child");
        Matrix.equal(wanted, column(between, names));
        Matrix.equal("[]", column(facts.getPrimaryKeys(null, "jdbc_meta", "looks"), "COLUMN_NAME"));
    }

    static void check() {
        Matrix.check("metadata", "every method of DatabaseMetaData", Metadata::everyMethod);
        Matrix.check("metadata", "what the server says of itself", Metadata::values);
        Matrix.check("metadata", "catalogs, schemas, tables", Metadata::tables);
        Matrix.check("metadata", "columns", Metadata::columns);
        Matrix.check("metadata", "keys", Metadata::keys);
    }
}
