/*
 * ArrowJava.java — compares Arrow IPC streams with Arrow Java and writes them again: ArrowJava FOLDER.
 *
 * For each NAME.wanted in the folder it reads that stream and NAME.got, compares them, writes NAME.out
 * from what it got, and prints one JSON object: {"name", "result", "message"}; the result is "equal",
 * "differs", "cannot read" (what is wanted), "cannot read ours" or "cannot write".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.arrow.compression.CommonsCompressionFactory;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.dictionary.Dictionary;
import org.apache.arrow.vector.ipc.ArrowStreamReader;
import org.apache.arrow.vector.ipc.ArrowStreamWriter;

public final class ArrowJava {
    private static final class Failure extends Exception {
        final String result;

        Failure(String result, Throwable cause) {
            super(cause.getClass().getSimpleName() + ": " + cause.getMessage(), cause);
            this.result = result;
        }

        Failure(String result, String message) {
            super(message);
            this.result = result;
        }
    }

    private interface Step<T> {
        T run() throws Exception;
    }

    /** Any fault, assertions included, is the answer for one stream. */
    private static <T> T guard(String result, Step<T> step) throws Failure {
        try {
            return step.run();
        } catch (Failure failure) {
            throw failure;
        } catch (Throwable fault) {
            throw new Failure(result, fault);
        }
    }

    private static ArrowStreamReader open(String path, BufferAllocator allocator) throws Exception {
        return new ArrowStreamReader(
            new FileInputStream(path), allocator, CommonsCompressionFactory.INSTANCE);
    }

    /** Reads all of it, to see whether it can be read. */
    private static void probe(String path, BufferAllocator allocator) throws Exception {
        try (ArrowStreamReader reader = open(path, allocator)) {
            VectorSchemaRoot root = reader.getVectorSchemaRoot();
            while (reader.loadNextBatch()) {
                for (FieldVector vector : root.getFieldVectors()) {
                    for (int i = 0; i < vector.getValueCount(); i++) {
                        vector.getObject(i);
                    }
                }
            }
        }
    }

    /** The values of each dictionary as text, sorted: ids are the writer's own. */
    private static List<String> dictionariesOf(ArrowStreamReader reader) throws Exception {
        List<String> texts = new ArrayList<>();
        for (Dictionary dictionary : reader.getDictionaryVectors().values()) {
            FieldVector vector = dictionary.getVector();
            StringBuilder text = new StringBuilder();
            for (int i = 0; i < vector.getValueCount(); i++) {
                text.append(textOf(vector.getObject(i))).append('\n');
            }
            texts.add(text.toString());
        }
        texts.sort(null);
        return texts;
    }

    private static String textOf(Object value) {
        return value instanceof byte[] ? Arrays.toString((byte[]) value) : String.valueOf(value);
    }

    private static void compareVectors(VectorSchemaRoot wanted, VectorSchemaRoot got)
        throws Failure {
        for (int i = 0; i < wanted.getFieldVectors().size(); i++) {
            FieldVector a = wanted.getVector(i);
            FieldVector b = got.getVector(i);
            if (a.getValueCount() != b.getValueCount()) {
                throw new Failure("differs", b.getValueCount() + " values");
            }
            for (int row = 0; row < a.getValueCount(); row++) {
                String x = textOf(a.getObject(row));
                String y = textOf(b.getObject(row));
                if (!x.equals(y)) {
                    throw new Failure("differs", "row " + row + ": " + y + ", not " + x);
                }
            }
        }
    }

    private static void compare(ArrowStreamReader wanted, ArrowStreamReader got) throws Exception {
        VectorSchemaRoot a = wanted.getVectorSchemaRoot();
        VectorSchemaRoot b = got.getVectorSchemaRoot();
        if (!a.getSchema().getCustomMetadata().equals(b.getSchema().getCustomMetadata())
            || !a.getSchema().toString().replaceAll("dictionary: \\d+", "dictionary").equals(
                b.getSchema().toString().replaceAll("dictionary: \\d+", "dictionary"))) {
            throw new Failure("differs", b.getSchema() + ", not " + a.getSchema());
        }
        while (true) {
            boolean more = wanted.loadNextBatch();
            if (more != got.loadNextBatch()) {
                throw new Failure("differs", "another number of batches");
            }
            if (!more) {
                return;
            }
            if (!dictionariesOf(wanted).equals(dictionariesOf(got))) {
                throw new Failure("differs", "the dictionaries");
            }
            compareVectors(a, b);
        }
    }

    private static void write(String from, String to, BufferAllocator allocator) throws Exception {
        try (ArrowStreamReader reader = open(from, allocator);
            ArrowStreamWriter writer = new ArrowStreamWriter(
                reader.getVectorSchemaRoot(), reader, new FileOutputStream(to))) {
            boolean started = false;
            while (reader.loadNextBatch()) {
                /* Dictionaries are written by start, so that they have to be there. */
                if (!started) {
                    writer.start();
                    started = true;
                }
                writer.writeBatch();
            }
            writer.end();
        }
    }

    private static void run(String base, BufferAllocator allocator) throws Failure {
        guard("cannot read", () -> {
            probe(base + ".wanted", allocator);
            return null;
        });
        guard("cannot read ours", () -> {
            probe(base + ".got", allocator);
            return null;
        });
        guard("differs", () -> {
            try (ArrowStreamReader wanted = open(base + ".wanted", allocator);
                ArrowStreamReader got = open(base + ".got", allocator)) {
                compare(wanted, got);
            }
            return null;
        });
        guard("cannot write", () -> {
            write(base + ".got", base + ".out", allocator);
            return null;
        });
    }

    private static String quote(String text) {
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\' || c < ' ' || c > '~') {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }

    public static void main(String[] arguments) {
        File[] files = new File(arguments[0]).listFiles((folder, name) -> name.endsWith(".wanted"));
        Arrays.sort(files);
        for (File file : files) {
            String name = file.getName().substring(0, file.getName().length() - ".wanted".length());
            String result = "equal";
            String message = "";
            BufferAllocator allocator = new RootAllocator();
            try {
                run(new File(file.getParent(), name).getPath(), allocator);
            } catch (Failure failure) {
                result = failure.result;
                message = String.valueOf(failure.getMessage());
            }
            System.out.println("{\"name\": " + quote(name) + ", \"result\": " + quote(result)
                + ", \"message\": " + quote(message) + "}");
        }
    }
}
