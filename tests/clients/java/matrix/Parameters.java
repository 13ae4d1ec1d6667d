/*
 * Cases of the JDBC driver: PreparedStatement with parameters of every type, batches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Time;
import java.sql.Timestamp;
import java.sql.Types;
import java.util.Arrays;

final class Parameters {
    private Parameters() {}

    private static void query(Connection connection) throws SQLException {
        String sql = "SELECT i, ?::VARCHAR || i FROM range(10) t(i)"
                + " WHERE i >= ? AND i < ?::BIGINT ORDER BY i";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            ParameterMetaData facts = statement.getParameterMetaData();
            Matrix.equal(3, facts.getParameterCount());
            Matrix.equal(Types.VARCHAR, facts.getParameterType(1));
            Matrix.equal(Types.BIGINT, facts.getParameterType(3));
            Matrix.equal(2, statement.getMetaData().getColumnCount());
            for (long start = 0; start < 3; start++) {
                statement.setString(1, "p");
                statement.setLong(2, start);
                statement.setLong(3, start + 2);
                Matrix.equal("[" + start + "|p" + start + ", " + (start + 1) + "|p" + (start + 1) + "]",
                        Matrix.rows(statement.executeQuery()));
            }
        }
    }

    private static final String COLUMNS = "b BOOLEAN, ti TINYINT, si SMALLINT, i INTEGER, l BIGINT, f FLOAT,"
            + " d DOUBLE, n DECIMAL(18, 3), s VARCHAR, y BLOB, day DATE, t TIME, ts TIMESTAMP,"
            + " tz TIMESTAMPTZ";

    private static void bindAll(PreparedStatement statement) throws SQLException {
        statement.setBoolean(1, true);
        statement.setByte(2, (byte) -7);
        statement.setShort(3, (short) -300);
        statement.setInt(4, -70_000);
        statement.setLong(5, -5_000_000_000L);
        statement.setFloat(6, 1.5f);
        statement.setDouble(7, -2.25);
        statement.setBigDecimal(8, new BigDecimal("12345.678"));
        statement.setString(9, "smörgås ☺");
        statement.setBytes(10, new byte[] {0, 1, -1});
        statement.setDate(11, Date.valueOf("2024-02-29"));
        statement.setTime(12, Time.valueOf("12:34:56"));
        statement.setTimestamp(13, Timestamp.valueOf("2024-02-29 12:34:56.789"));
        statement.setTimestamp(14, Timestamp.valueOf("2024-02-29 12:34:56"));
    }

    private static void everyType(Connection connection) throws SQLException {
        Matrix.update(connection, "CREATE OR REPLACE TABLE jdbc_types (" + COLUMNS + ")");
        String marks = String.join(", ", java.util.Collections.nCopies(14, "?"));
        String sql = "INSERT INTO jdbc_types VALUES (" + marks + ")";
        try (PreparedStatement insert = connection.prepareStatement(sql)) {
            bindAll(insert);
            Matrix.equal(1, insert.executeUpdate());
            for (int parameter = 1; parameter <= 14; parameter++) {
                insert.setNull(parameter, insert.getParameterMetaData().getParameterType(parameter));
            }
            Matrix.equal(1, insert.executeUpdate());
        }
        try (PreparedStatement select =
                connection.prepareStatement("SELECT * FROM jdbc_types ORDER BY b NULLS LAST");
                ResultSet row = select.executeQuery()) {
            Matrix.require(row.next(), "no row");
            Matrix.equal(true, row.getBoolean(1));
            Matrix.equal("-7 -300 -70000 -5000000000", row.getByte(2) + " " + row.getShort(3) + " "
                    + row.getInt(4) + " " + row.getLong(5));
            Matrix.equal("1.5 -2.25 12345.678", row.getFloat(6) + " " + row.getDouble(7) + " "
                    + row.getBigDecimal(8));
            Matrix.equal("smörgås ☺", row.getString(9));
            Matrix.equal("[0, 1, -1]", Arrays.toString(row.getBytes(10)));
            Matrix.equal("2024-02-29 12:34:56", row.getDate(11) + " " + row.getTime(12));
            Matrix.equal("2024-02-29 12:34:56.789", row.getTimestamp(13));
            Matrix.equal("2024-02-29 12:34:56.0", row.getTimestamp(14));
            Matrix.require(row.next(), "no second row");
            for (int column = 1; column <= 13; column++) {
                Matrix.equal("null", row.getObject(column));
            }
        }
    }

    private static void update(Connection connection) throws SQLException {
        Matrix.update(connection, "CREATE OR REPLACE TABLE jdbc_prepared (i INTEGER PRIMARY KEY, s VARCHAR)");
        try (PreparedStatement insert =
                connection.prepareStatement("INSERT INTO jdbc_prepared VALUES (?, ?)")) {
            for (int i = 0; i < 5; i++) {
                insert.setInt(1, i);
                insert.setString(2, "s" + i);
                Matrix.equal(1, insert.executeUpdate());
            }
            insert.setInt(1, 4);
            Matrix.fails(insert::executeUpdate, "uplicate");
        }
        try (PreparedStatement change =
                connection.prepareStatement("UPDATE jdbc_prepared SET s = ? WHERE i > ?")) {
            change.setString(1, "changed");
            change.setInt(2, 2);
            Matrix.equal(2, change.executeUpdate());
        }
        Matrix.equal("[2]", Matrix.query(connection,
                "SELECT count(*) FROM jdbc_prepared WHERE s = 'changed'"));
        try (PreparedStatement none = connection.prepareStatement("DELETE FROM jdbc_prepared")) {
            Matrix.equal(5, none.executeUpdate());
            Matrix.equal(0, none.executeUpdate());
        }
    }

    private static void unbound(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT ?::INTEGER + ?::INTEGER")) {
            Matrix.fails(statement::executeQuery);
        }
        // After DDL a handle goes on.
        Matrix.update(connection, "CREATE OR REPLACE TABLE jdbc_altered (i INTEGER)");
        try (PreparedStatement statement =
                connection.prepareStatement("SELECT count(*) FROM jdbc_altered WHERE i > ?")) {
            statement.setInt(1, 0);
            Matrix.equal("[0]", Matrix.rows(statement.executeQuery()));
            Matrix.update(connection, "ALTER TABLE jdbc_altered ADD COLUMN s VARCHAR");
            Matrix.update(connection, "INSERT INTO jdbc_altered VALUES (1, 'x')");
            statement.setInt(1, 0);
            Matrix.equal("[1]", Matrix.rows(statement.executeQuery()));
        }
    }

    private static void batch(Connection connection) throws SQLException {
        Matrix.update(connection,
                "CREATE OR REPLACE TABLE jdbc_batch (i INTEGER, s VARCHAR, n DECIMAL(10, 2))");
        try (PreparedStatement insert =
                connection.prepareStatement("INSERT INTO jdbc_batch VALUES (?, ?, ?)")) {
            for (int round = 0; round < 2; round++) {
                for (int i = 0; i < 10_000; i++) {
                    insert.setInt(1, i);
                    if (i % 10 == 9) {
                        insert.setNull(2, Types.VARCHAR);
                    } else {
                        insert.setString(2, "row " + i);
                    }
                    insert.setBigDecimal(3, BigDecimal.valueOf(i, 2));
                    insert.addBatch();
                }
                int sum = 0;
                for (int count : insert.executeBatch()) {
                    sum += Math.max(count, 0);
                }
                Matrix.equal(10_000, sum);
            }
        }
        Matrix.equal("[20000|99990000|18000|999900.00]",
                Matrix.query(connection,
                        "SELECT count(*), sum(i)::BIGINT, count(s), sum(n) FROM jdbc_batch"));
    }

    static void check() {
        Matrix.check("parameters", "query, executed three times", Parameters::query);
        Matrix.check("parameters", "every type and NULL", Parameters::everyType);
        Matrix.check("parameters", "updates", Parameters::update);
        Matrix.check("parameters", "missing values, DDL between executions", Parameters::unbound);
        Matrix.check("batch bind", "executeBatch of 10,000 rows, twice", Parameters::batch);
    }
}
