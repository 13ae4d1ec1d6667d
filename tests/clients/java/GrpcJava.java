/*
 * A gRPC client in Java (grpc-java) without generated code: makes the calls of a script.
 *
 * usage: java -cp JARS:CLASSES GrpcJava HOST:PORT FILE [CA [CERTIFICATE KEY]]
 *
 * FILE holds one call a line as a JSON object; with CA the connection is TLS. All calls use one
 * channel, one after the other; a call's copies run at once. Prints one JSON object a copy.
 * tests/integration/raw_calls.py describes both objects for all languages.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.netty.shaded.io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.handler.ssl.SslContextBuilder;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

public final class GrpcJava {
    private static final HexFormat HEX = HexFormat.of();
    private static final ScheduledExecutorService TIMER = Executors.newScheduledThreadPool(1);

    private GrpcJava() {}

    /** Hands messages through as bytes. */
    private static final class RawMarshaller implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] body) {
            return new ByteArrayInputStream(body);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }

    private static int number(JsonObject request, String name) {
        return request.has(name) ? request.get(name).getAsInt() : 0;
    }

    private static boolean flag(JsonObject request, String name) {
        return request.has(name) && request.get(name).getAsBoolean();
    }

    private static List<byte[]> bodies(JsonObject request) throws IOException {
        List<byte[]> list = new ArrayList<>();
        JsonArray parts = request.has("send") ? request.getAsJsonArray("send") : new JsonArray();
        for (JsonElement element : parts) {
            JsonObject part = element.getAsJsonObject();
            byte[] body = new byte[number(part, "zeros")];
            if (part.has("file")) {
                body = Files.readAllBytes(Path.of(part.get("file").getAsString()));
            } else if (part.has("hex")) {
                body = HEX.parseHex(part.get("hex").getAsString());
            }
            for (int i = 0; i < Math.max(number(part, "repeat"), 1); i++) {
                list.add(body);
            }
        }
        return list;
    }

    private static Metadata outgoing(JsonObject request) {
        Metadata metadata = new Metadata();
        JsonArray pairs = request.has("metadata") ? request.getAsJsonArray("metadata") : new JsonArray();
        for (JsonElement element : pairs) {
            String name = element.getAsJsonArray().get(0).getAsString();
            String value = element.getAsJsonArray().get(1).getAsString();
            if (name.endsWith("-bin")) {
                Metadata.Key<byte[]> key = Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER);
                metadata.put(key, HEX.parseHex(value));
            } else {
                metadata.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value);
            }
        }
        return metadata;
    }

    private static JsonArray incoming(Metadata metadata) {
        JsonArray pairs = new JsonArray();
        for (String name : new TreeSet<>(metadata.keys())) {
            List<String> values = new ArrayList<>();
            if (name.endsWith("-bin")) {
                Metadata.Key<byte[]> key = Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER);
                metadata.getAll(key).forEach(value -> values.add(HEX.formatHex(value)));
            } else {
                Metadata.Key<String> key = Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
                metadata.getAll(key).forEach(values::add);
            }
            for (String value : values) {
                JsonArray pair = new JsonArray();
                pair.add(name);
                pair.add(value);
                pairs.add(pair);
            }
        }
        return pairs;
    }

    /** One call: sends as the connection takes it, and fills `answer`. */
    private static final class Conversation extends ClientCall.Listener<byte[]> {
        private final JsonObject request;
        private final ClientCall<byte[], byte[]> call;
        private final List<byte[]> bodies;
        private final MessageDigest digest;
        private final CountDownLatch closed = new CountDownLatch(1);
        private final JsonObject answer = new JsonObject();
        private int sent;
        private int turns = 1;
        private int count;
        private long bytes;
        private boolean halfClosed;

        Conversation(ManagedChannel channel, JsonObject request)
                throws IOException, NoSuchAlgorithmException {
            this.request = request;
            bodies = bodies(request);
            digest = MessageDigest.getInstance("SHA-256");
            answer.addProperty("first", "");
            answer.add("headers", new JsonArray());
            MethodDescriptor<byte[], byte[]> method =
                    MethodDescriptor.<byte[], byte[]>newBuilder(new RawMarshaller(), new RawMarshaller())
                            .setType(MethodDescriptor.MethodType.BIDI_STREAMING)
                            .setFullMethodName(request.get("method").getAsString().substring(1))
                            .build();
            CallOptions options = CallOptions.DEFAULT;
            if (number(request, "timeout_ms") > 0) {
                options = options.withDeadlineAfter(number(request, "timeout_ms"), TimeUnit.MILLISECONDS);
            }
            if (flag(request, "gzip")) {
                options = options.withCompression("gzip");
            }
            call = channel.newCall(method, options);
        }

        synchronized void start() {
            call.start(this, outgoing(request));
            call.request(1);
            if (number(request, "cancel_ms") > 0) {
                TIMER.schedule(
                        () -> call.cancel("by the script", null), number(request, "cancel_ms"),
                        TimeUnit.MILLISECONDS);
            }
            send();
        }

        private synchronized void send() {
            boolean pingPong = flag(request, "ping_pong");
            while (!halfClosed && (pingPong ? turns > 0 : call.isReady())) {
                if (sent == bodies.size()) {
                    halfClosed = true;
                    call.halfClose();
                    return;
                }
                turns--;
                call.sendMessage(bodies.get(sent++));
            }
        }

        @Override
        public void onReady() {
            send();
        }

        @Override
        public void onHeaders(Metadata headers) {
            answer.add("headers", incoming(headers));
        }

        @Override
        public void onMessage(byte[] body) {
            count++;
            bytes += body.length;
            digest.update(body);
            if (count == 1) {
                answer.addProperty("first", HEX.formatHex(Arrays.copyOf(body, Math.min(body.length, 256))));
                pause();
            }
            if (count == number(request, "cancel_after")) {
                call.cancel("by the script", null);
            }
            turns++;
            send();
            call.request(1);
        }

        private void pause() {
            try {
                Thread.sleep(number(request, "pause_ms"));
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
            }
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            answer.addProperty("code", status.getCode().value());
            answer.addProperty("message", status.getDescription() == null ? "" : status.getDescription());
            answer.addProperty("count", count);
            answer.addProperty("bytes", bytes);
            answer.addProperty("sha256", HEX.formatHex(digest.digest()));
            answer.add("trailers", incoming(trailers));
            closed.countDown();
        }

        JsonObject answer() throws InterruptedException {
            closed.await();
            return answer;
        }
    }

    private static ManagedChannel connect(String[] arguments) throws IOException {
        NettyChannelBuilder builder =
                NettyChannelBuilder.forTarget("dns:///" + arguments[0])
                        .maxInboundMessageSize(1 << 30)
                        .maxInboundMetadataSize(1 << 16)
                        .keepAliveTime(10, TimeUnit.SECONDS);
        if (arguments.length == 2) {
            return builder.usePlaintext().build();
        }
        SslContextBuilder tls = GrpcSslContexts.forClient().trustManager(new File(arguments[2]));
        if (arguments.length > 4) {
            tls.keyManager(new File(arguments[3]), new File(arguments[4]));
        }
        return builder.sslContext(tls.build()).build();
    }

    public static void main(String[] arguments) throws Exception {
        ManagedChannel channel = connect(arguments);
        for (String line : Files.readAllLines(Path.of(arguments[1]))) {
            JsonObject request = JsonParser.parseString(line).getAsJsonObject();
            List<Conversation> calls = new ArrayList<>();
            for (int i = 0; i < Math.max(number(request, "copies"), 1); i++) {
                calls.add(new Conversation(channel, request));
            }
            calls.forEach(Conversation::start);
            for (Conversation call : calls) {
                System.out.println(new Gson().toJson(call.answer()));
            }
        }
        channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
        TIMER.shutdownNow();
    }
}
