/*
 * Cases of the JDBC driver: connections, queries, updates, transactions, cancel, sessions, errors.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.Timer;
import java.util.TimerTask;

final class Basics {
    private static final String COMPUTING =
            "SELECT count(*) AS n FROM range(3000000) a(i), range(3000000) b(i) WHERE a.i * b.i % 7 = 3";

    private Basics() {}

    /** What docs/clients.md shows. */
    static long example(String server) throws SQLException {
        String url = "jdbc:arrow-flight-sql://" + server + "/?useEncryption=false&user=me&password=secret";
        try (Connection connection = DriverManager.getConnection(url);
                PreparedStatement statement =
                        connection.prepareStatement("SELECT i FROM range(9) t(i) WHERE i < ?")) {
            statement.setLong(1, 3);
            long sum = 0;
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next()) {
                    sum += rows.getLong("i");
                }
            }
            return sum;
        }
    }

    private static void connect(Connection connection) throws SQLException {
        require(connection.isValid(5), "the connection is not valid");
        Matrix.equal("Volley", connection.getMetaData().getDatabaseProductName());
        try (Connection named = Matrix.connect("user", "anyone", "password", "any:thing")) {
            Matrix.equal("[1]", Matrix.query(named, "SELECT 1"));
        }
        // An unknown property travels as a header; a server takes no offence.
        try (Connection odd = Matrix.connect("database", "anything", "ssl", "maybe")) {
            Matrix.equal("[1]", Matrix.query(odd, "SELECT 1"));
        }
    }

    private static void require(boolean condition, String text) {
        Matrix.require(condition, text);
    }

    private static void query(Connection connection) throws SQLException {
        Matrix.equal("[0|v0, 1|v1]", Matrix.query(connection, "SELECT i, 'v' || i FROM range(2) t(i)"));
        try (Statement statement = connection.createStatement()) {
            require(statement.execute("SELECT 1 AS a"), "a SELECT gave no result set");
            Matrix.equal("[1]", Matrix.rows(statement.getResultSet()));
            for (int i = 0; i < 3; i++) { // a statement is used again and again
                Matrix.equal("[" + i + "]", Matrix.rows(statement.executeQuery("SELECT " + i)));
            }
            Matrix.equal("[]", Matrix.rows(statement.executeQuery("SELECT 1 WHERE false")));
        }
        try (Statement statement = connection.createStatement()) {
            statement.setMaxRows(3);
            Matrix.equal("[0, 1, 2]", Matrix.rows(statement.executeQuery("SELECT i FROM range(9) t(i)")));
        }
    }

    private static void types(Connection connection) throws SQLException {
        String sql = "SELECT true AS b, 7::TINYINT AS ti, 8::SMALLINT AS si, 9 AS i, 10::BIGINT AS l,"
                + " 1.5::FLOAT AS f, 2.5::DOUBLE AS d, 12.345::DECIMAL(18, 3) AS n, 'text' AS s,"
                + " '\\x01\\x02'::BLOB AS y, DATE '2024-02-29' AS day, TIME '12:34:56' AS t,"
                + " TIMESTAMP '2024-02-29 12:34:56.789' AS ts, TIMESTAMPTZ '2024-02-29 12:34:56+00' AS tz,"
                + " [1, 2] AS list, NULL::INTEGER AS nothing";
        int[] wanted = {
            Types.BOOLEAN, Types.TINYINT, Types.SMALLINT, Types.INTEGER, Types.BIGINT, Types.FLOAT,
            Types.DOUBLE, Types.DECIMAL, Types.VARCHAR, Types.VARBINARY, Types.DATE, Types.TIME,
            Types.TIMESTAMP, Types.TIMESTAMP_WITH_TIMEZONE, Types.ARRAY, Types.INTEGER};
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery(sql)) {
            ResultSetMetaData facts = result.getMetaData();
            for (int column = 1; column <= wanted.length; column++) {
                Matrix.equal(facts.getColumnLabel(column) + wanted[column - 1],
                        facts.getColumnLabel(column) + facts.getColumnType(column));
            }
            require(result.next(), "no row");
            Matrix.equal(true, result.getBoolean("b"));
            Matrix.equal(7, result.getByte("ti"));
            Matrix.equal(8, result.getShort("si"));
            Matrix.equal(9, result.getInt("i"));
            Matrix.equal(10, result.getLong("l"));
            Matrix.equal(1.5f, result.getFloat("f"));
            Matrix.equal(2.5, result.getDouble("d"));
            Matrix.equal(new BigDecimal("12.345"), result.getBigDecimal("n"));
            Matrix.equal("text", result.getString("s"));
            Matrix.equal("[1, 2]", java.util.Arrays.toString(result.getBytes("y")));
            Matrix.equal("2024-02-29", result.getDate("day"));
            Matrix.equal("12:34:56", result.getTime("t"));
            Matrix.equal("2024-02-29 12:34:56.789", result.getTimestamp("ts"));
            Matrix.equal("2024-02-29 12:34:56.0", result.getTimestamp("tz"));
            Object[] list = (Object[]) result.getArray("list").getArray();
            Matrix.equal("[1, 2]", java.util.Arrays.toString(list));
            Matrix.equal(0, result.getInt("nothing"));
            require(result.wasNull(), "NULL was not null");
        }
    }

    private static void columns(Connection connection) throws SQLException {
        Matrix.update(connection,
                "CREATE OR REPLACE TABLE jdbc_columns (k INTEGER NOT NULL, price DECIMAL(10, 2),"
                + " name VARCHAR)");
        try (Statement statement = connection.createStatement();
                ResultSet result =
                        statement.executeQuery("SELECT k, price, name, price * 2 AS t FROM jdbc_columns")) {
            ResultSetMetaData facts = result.getMetaData();
            Matrix.equal("price", facts.getColumnName(2));
            Matrix.equal(10, facts.getPrecision(2));
            Matrix.equal(2, facts.getScale(2));
            Matrix.equal("DECIMAL", facts.getColumnTypeName(2)); // the driver's own name
            Matrix.equal(18, facts.getPrecision(4));
            Matrix.equal("INTEGER", facts.getColumnTypeName(1));
        }
    }

    private static void update(Connection connection) throws SQLException {
        Matrix.update(connection, "CREATE OR REPLACE TABLE jdbc_rows (i INTEGER, s VARCHAR)");
        Matrix.equal(3, Matrix.update(connection,
                "INSERT INTO jdbc_rows VALUES (1, 'a'), (2, 'b'), (3, 'c')"));
        Matrix.equal(2, Matrix.update(connection, "UPDATE jdbc_rows SET s = 'z' WHERE i > 1"));
        Matrix.equal(1, Matrix.update(connection, "DELETE FROM jdbc_rows WHERE i = 1"));
        try (Statement statement = connection.createStatement()) {
            require(!statement.execute("INSERT INTO jdbc_rows VALUES (9, 'n')"),
                    "an INSERT gave a result set");
            Matrix.equal(1, statement.getUpdateCount());
            Matrix.equal(2L, statement.executeLargeUpdate("DELETE FROM jdbc_rows WHERE s = 'z'"));
            Matrix.equal("[9|n]", Matrix.rows(statement.executeQuery("FROM jdbc_rows")));
            String returning = "INSERT INTO jdbc_rows VALUES (5, 'r') RETURNING i";
            Matrix.equal("[5]", Matrix.rows(statement.executeQuery(returning)));
        }
        Matrix.update(connection, "CREATE OR REPLACE VIEW jdbc_view AS SELECT count(*) AS n FROM jdbc_rows");
        Matrix.equal("[2]", Matrix.query(connection, "FROM jdbc_view"));
        Matrix.update(connection, "DROP VIEW jdbc_view");
        Matrix.update(connection, "ALTER TABLE jdbc_rows ADD COLUMN t TIMESTAMP");
        Matrix.update(connection, "DROP TABLE jdbc_rows");
    }

    private static void transactionText(Connection connection) throws SQLException {
        Matrix.update(connection, "CREATE OR REPLACE TABLE jdbc_tx (i INTEGER)");
        Matrix.update(connection, "BEGIN");
        Matrix.update(connection, "INSERT INTO jdbc_tx VALUES (1)");
        Matrix.update(connection, "ROLLBACK");
        Matrix.equal("[0]", Matrix.query(connection, "SELECT count(*) FROM jdbc_tx"));
        Matrix.update(connection, "BEGIN");
        Matrix.update(connection, "INSERT INTO jdbc_tx VALUES (2)");
        try (Connection other = Matrix.connect()) {
            Matrix.equal("[0]", Matrix.query(other, "SELECT count(*) FROM jdbc_tx"));
            Matrix.update(connection, "COMMIT");
            Matrix.equal("[1]", Matrix.query(other, "SELECT count(*) FROM jdbc_tx"));
        }
    }

    /** Cancels again and again: the first time may be before the call that takes long. */
    private static Timer cancelling(Statement statement) {
        Timer timer = new Timer(true);
        timer.schedule(new TimerTask() {
            @Override
            public void run() {
                try {
                    statement.cancel();
                } catch (SQLException error) {
                    timer.cancel(); // the statement is closed
                }
            }
        }, 300, 300);
        return timer;
    }

    private static void cancelRunning(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            Timer timer = cancelling(statement);
            Matrix.fails(() -> {
                try (ResultSet result = statement.executeQuery(COMPUTING)) {
                    result.next();
                }
            }, "ancel");
            timer.cancel();
        }
        Matrix.equal("[1]", Matrix.query(connection, "SELECT 1"));
    }

    private static void cancelStreaming(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet result = statement.executeQuery("SELECT i FROM range(1000000000) t(i)")) {
            for (int i = 0; i < 1000; i++) {
                require(result.next(), "the stream ended");
            }
            statement.cancel();
            Matrix.fails(() -> {
                while (result.next()) {
                    result.getLong(1);
                }
            }, "ancel");
        }
        Matrix.equal("[1]", Matrix.query(connection, "SELECT 1"));
    }

    private static void queryTimeout(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            Matrix.equal(1, statement.getQueryTimeout());
            Matrix.fails(() -> {
                try (ResultSet result = statement.executeQuery(COMPUTING)) {
                    result.next();
                }
            }, "imed out");
        }
    }

    private static void sessionCatalog(Connection connection) throws SQLException {
        Connection own = Matrix.connect("catalog", "memory");
        Matrix.equal("[memory]", Matrix.query(own, "SELECT current_database()"));
        // The driver closes twice, and asks its closed channel to close the session the second time.
        Matrix.fails(own::close, "Channel shutdown invoked");
        Matrix.fails(() -> Matrix.connect("catalog", "jdbc_no_such_catalog"), "jdbc_no_such_catalog");
    }

    private static void optionsByName(Connection connection) throws SQLException {
        try (Connection own = Matrix.connect("volley-row-limit", "2")) {
            Matrix.equal("[0, 1]", Matrix.query(own, "SELECT i FROM range(9) t(i)"));
        }
    }

    private static void sessionSchema(Connection connection) throws SQLException {
        Matrix.update(connection, "CREATE SCHEMA IF NOT EXISTS jdbc_session");
        Matrix.update(connection, "CREATE OR REPLACE TABLE jdbc_session.only_there (i INTEGER)");
        Matrix.update(connection, "USE jdbc_session");
        Matrix.equal("[0]", Matrix.query(connection, "SELECT count(*) FROM only_there"));
        Matrix.update(connection, "CREATE TEMPORARY TABLE jdbc_mine (i INTEGER)");
        Matrix.equal("[0]", Matrix.query(connection, "SELECT count(*) FROM jdbc_mine"));
        try (Connection other = Matrix.connect()) {
            Matrix.fails(() -> Matrix.query(other, "FROM only_there"), "only_there");
            Matrix.fails(() -> Matrix.query(other, "FROM jdbc_mine"), "jdbc_mine");
        }
    }

    private static void large(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet result =
                        statement.executeQuery("SELECT i, 'text ' || i AS s FROM range(1000000) t(i)")) {
            long count = 0;
            long sum = 0;
            while (result.next()) {
                sum += result.getLong(1);
                count++;
            }
            Matrix.equal("1000000 499999500000", count + " " + sum);
        }
    }

    private static void errors(Connection connection) throws SQLException {
        Matrix.update(connection, "CREATE OR REPLACE TABLE jdbc_errors (i INTEGER PRIMARY KEY)");
        Matrix.update(connection, "INSERT INTO jdbc_errors VALUES (1)");
        SQLException error = Matrix.fails(() -> Matrix.query(connection, "SELEC 1"), "SELEC");
        Matrix.equal(null, error.getSQLState()); // the driver sets none
        Matrix.require(error.getCause().toString().contains("INVALID_ARGUMENT"), error.getCause().toString());
        Matrix.fails(() -> Matrix.query(connection, "SELECT nope FROM jdbc_errors"), "nope");
        Matrix.fails(() -> Matrix.query(connection, "FROM jdbc_no_such_table"), "jdbc_no_such_table");
        Matrix.fails(() -> Matrix.update(connection, "CREATE TABLE jdbc_errors (i INTEGER)"), "jdbc_errors");
        Matrix.fails(() -> Matrix.update(connection, "INSERT INTO jdbc_errors VALUES (1)"), "uplicate");
        Matrix.fails(() -> Matrix.update(connection, "INSTALL httpfs"), "allow-statements");
        Matrix.fails(() -> Matrix.query(connection, "SELECT ('x' || i)::INTEGER FROM range(9) t(i)"), "x0");
        Matrix.equal("[1]", Matrix.query(connection, "FROM jdbc_errors")); // the connection still works
    }

    static void check() {
        Matrix.check("parameters", "example", connection -> Matrix.equal(3, example(Matrix.address)));
        Matrix.check("connect", "user and password, unknown properties", Basics::connect);
        Matrix.check("query", "statements, empty results, setMaxRows", Basics::query);
        Matrix.check("query", "types", Basics::types);
        Matrix.check("query", "ResultSetMetaData", Basics::columns);
        Matrix.check("update and DDL", "counts, RETURNING, views, ALTER", Basics::update);
        Matrix.check("update and DDL", "BEGIN, COMMIT, ROLLBACK as text", Basics::transactionText);
        Matrix.check("cancel", "Statement.cancel of a running statement", Basics::cancelRunning);
        Matrix.check("cancel", "Statement.cancel of a stream", Basics::cancelStreaming);
        Matrix.check("cancel", "setQueryTimeout", Basics::queryTimeout);
        Matrix.check("session options", "the property catalog", Basics::sessionCatalog);
        Matrix.check("session options", "properties that travel as headers", Basics::optionsByName);
        Matrix.check("session options", "USE, temporary tables", Basics::sessionSchema);
        Matrix.check("large result", "1,000,000 rows", Basics::large);
        Matrix.check("errors", "messages", Basics::errors);
    }
}
