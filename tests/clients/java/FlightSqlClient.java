/*
 * A JDBC client of the Arrow Flight SQL driver: connects, selects every type, changes a table, reads
 * errors.
 *
 * usage: java -cp DRIVER:CLASSES FlightSqlClient HOST:PORT FILE
 *
 * FILE holds one statement a line, led by a word that says how to run it: "query", "update" or
 * "prepared". Prints one JSON object a statement: what came back, or the error's text.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;

public final class FlightSqlClient {
    private FlightSqlClient() {}

    private static String quoted(Object value) {
        if (value == null) {
            return "null";
        }
        StringBuilder text = new StringBuilder("\"");
        for (char letter : value.toString().toCharArray()) {
            if (letter == '"' || letter == '\\' || letter < ' ' || letter > '~') {
                text.append(String.format("\\u%04x", (int) letter));
            } else {
                text.append(letter);
            }
        }
        return text.append('"').toString();
    }

    /** Bytes as hexadecimal digits, everything else as its text. */
    private static Object shown(ResultSet result, int column) throws SQLException {
        // The driver's getObject does not know this type; its other getters do.
        if (result.getMetaData().getColumnType(column) == Types.TIMESTAMP_WITH_TIMEZONE) {
            return result.getTimestamp(column);
        }
        Object value = result.getObject(column);
        if (value instanceof byte[]) {
            StringBuilder digits = new StringBuilder();
            for (byte part : (byte[]) value) {
                digits.append(String.format("%02x", part));
            }
            return digits;
        }
        return value;
    }

    private static String rows(ResultSet result) throws SQLException {
        ResultSetMetaData facts = result.getMetaData();
        List<String> columns = new ArrayList<>();
        List<String> types = new ArrayList<>();
        List<String> values = new ArrayList<>();
        for (int column = 1; column <= facts.getColumnCount(); column++) {
            columns.add(quoted(facts.getColumnLabel(column)));
            types.add(quoted(facts.getColumnTypeName(column)));
        }
        long count = 0;
        while (result.next()) {
            if (count == 0) {
                for (int column = 1; column <= facts.getColumnCount(); column++) {
                    values.add(quoted(shown(result, column)));
                }
            }
            count++;
        }
        return "{\"columns\":" + columns + ",\"types\":" + types + ",\"values\":" + values
                + ",\"rows\":" + count + "}";
    }

    private static String run(Connection connection, String way, String sql) throws SQLException {
        if (way.equals("prepared")) {
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                ResultSetMetaData facts = statement.getMetaData();
                if (facts == null || facts.getColumnCount() == 0) {
                    return "{\"changed\":" + statement.executeUpdate() + "}";
                }
                try (ResultSet result = statement.executeQuery()) {
                    return rows(result);
                }
            }
        }
        try (Statement statement = connection.createStatement()) {
            if (way.equals("update")) {
                return "{\"changed\":" + statement.executeUpdate(sql) + "}";
            }
            try (ResultSet result = statement.executeQuery(sql)) {
                return rows(result);
            }
        }
    }

    private static String product(Connection connection) throws SQLException {
        DatabaseMetaData facts = connection.getMetaData();
        return "{\"product\":" + quoted(facts.getDatabaseProductName())
                + ",\"version\":" + quoted(facts.getDatabaseProductVersion())
                + ",\"readOnly\":" + facts.isReadOnly() + "}";
    }

    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("useEncryption", "false");
        String url = "jdbc:arrow-flight-sql://" + arguments[0];
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            System.out.println(product(connection));
            for (String line : Files.readAllLines(Path.of(arguments[1]))) {
                String[] parts = line.split(" ", 2);
                String answer;
                try {
                    answer = run(connection, parts[0], parts[1]);
                } catch (SQLException | RuntimeException error) {
                    answer = "{\"code\":\"error\",\"message\":" + quoted(error.getMessage()) + "}";
                }
                System.out.println(answer);
            }
        }
    }
}
