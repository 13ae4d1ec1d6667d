/*
 * The features of a Flight SQL server through the Arrow Flight SQL JDBC driver.
 *
 * usage: java -cp DRIVER:CLASSES Matrix HOST:PORT
 *
 * Runs every case and prints one JSON object for each: the client, the feature of
 * tests/integration/client_matrix.py that it belongs to, its name, and what was wrong, if anything. The last
 * line tells how many there were, so that a crash is not taken for success.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Properties;

public final class Matrix {
    /** One case; what it throws is what was wrong. */
    interface Case {
        void run(Connection connection) throws Exception;
    }

    /** A statement that should fail. */
    interface Attempt {
        void run() throws SQLException;
    }

    static String address;
    private static int cases;

    private Matrix() {}

    static Connection connect(String... properties) throws SQLException {
        Properties all = new Properties();
        all.put("useEncryption", "false");
        for (int i = 0; i < properties.length; i += 2) {
            all.put(properties[i], properties[i + 1]);
        }
        return DriverManager.getConnection("jdbc:arrow-flight-sql://" + address, all);
    }

    static void require(boolean condition, String text) {
        if (!condition) {
            throw new AssertionError(text);
        }
    }

    static void equal(Object wanted, Object found) {
        require(Objects.equals(String.valueOf(wanted), String.valueOf(found)),
                "wanted " + wanted + ", found " + found);
    }

    /** Requires an SQLException whose message has all the words; returns it. */
    static SQLException fails(Attempt attempt, String... words) {
        try {
            attempt.run();
        } catch (SQLException error) {
            for (String word : words) {
                require(String.valueOf(error.getMessage()).contains(word),
                        "the error has no " + word + ": " + error.getMessage());
            }
            return error;
        }
        throw new AssertionError("no error, where one with " + List.of(words) + " was due");
    }

    static int update(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return statement.executeUpdate(sql);
        }
    }

    /** The rows as text: cells separated by bars. */
    static List<String> rows(ResultSet result) throws SQLException {
        ResultSetMetaData facts = result.getMetaData();
        List<String> found = new ArrayList<>();
        while (result.next()) {
            List<String> cells = new ArrayList<>();
            for (int column = 1; column <= facts.getColumnCount(); column++) {
                cells.add(String.valueOf(result.getObject(column)));
            }
            found.add(String.join("|", cells));
        }
        result.close();
        return found;
    }

    static List<String> query(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return rows(statement.executeQuery(sql));
        }
    }

    static String quoted(String value) {
        StringBuilder text = new StringBuilder("\"");
        for (char letter : value.toCharArray()) {
            if (letter == '"' || letter == '\\' || letter < ' ' || letter > '~') {
                text.append(String.format("\\u%04x", (int) letter));
            } else {
                text.append(letter);
            }
        }
        return text.append('"').toString();
    }

    private static String trouble(Throwable error) {
        StringBuilder text = new StringBuilder(String.valueOf(error));
        if (!(error instanceof AssertionError)) {
            for (StackTraceElement place : error.getStackTrace()) {
                text.append("\n at ").append(place);
            }
        }
        return text.toString();
    }

    static void check(String feature, String name, Case one) {
        String wrong = "";
        try (Connection connection = connect()) {
            one.run(connection);
        } catch (Throwable error) {
            wrong = trouble(error);
        }
        cases++;
        System.out.println("{\"client\": \"jdbc\", \"feature\": " + quoted(feature) + ", \"case\": "
                + quoted(name) + ", \"error\": " + quoted(wrong) + "}");
    }

    public static void main(String[] arguments) {
        address = arguments[0];
        Basics.check();
        Parameters.check();
        Metadata.check();
        System.out.println("{\"cases\": " + cases + "}");
        System.exit(0); // the driver leaves threads behind
    }
}
