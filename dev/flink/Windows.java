// Feeds events through Flink's own window operators and prints what they make of them: dev/flink.sh windows.
// The views are those of pipelines/ecommerce.toml. A line is a window that fired, or an event that was late for a view.

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.flink.api.common.eventtime.Watermark;
import org.apache.flink.api.common.eventtime.WatermarkGenerator;
import org.apache.flink.api.common.eventtime.WatermarkOutput;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink;
import org.apache.flink.streaming.api.functions.windowing.ProcessWindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;
import org.apache.flink.streaming.api.windowing.assigners.SlidingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.assigners.WindowAssigner;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.flink.util.OutputTag;

public class Windows {
    private static final long MAX_OUT_OF_ORDERNESS_MS = 10_000;
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Queue<String> LINES = new ConcurrentLinkedQueue<>();

    /** Arguments: the file of the events, size, slide and allowed lateness of user_features, gap and allowed lateness of session_features, in ms. */
    public static void main(String[] arguments) throws Exception {
        List<String> events = Files.readAllLines(Path.of(arguments[0]));
        long size = Long.parseLong(arguments[1]), slide = Long.parseLong(arguments[2]);
        long userLateness = Long.parseLong(arguments[3]);
        long gap = Long.parseLong(arguments[4]), sessionLateness = Long.parseLong(arguments[5]);
        StreamExecutionEnvironment environment = StreamExecutionEnvironment.createLocalEnvironment(1);
        KeyedStream<String, String> keyed = environment
                .fromData(events)
                .assignTimestampsAndWatermarks(WatermarkStrategy.<String>forGenerator(context -> new WatermarkOfEachEvent())
                        .withTimestampAssigner((event, before) -> eventTime(event)))
                .keyBy(Windows::userId, Types.STRING);
        fire(keyed, "user_features", SlidingEventTimeWindows.of(Duration.ofMillis(size), Duration.ofMillis(slide)), userLateness);
        fire(keyed, "session_features", EventTimeSessionWindows.withGap(Duration.ofMillis(gap)), sessionLateness);
        environment.execute();
        LINES.forEach(System.out::println);
    }

    private static void fire(
            KeyedStream<String, String> keyed, String view, WindowAssigner<Object, TimeWindow> windows, long latenessMs) {
        OutputTag<String> late = new OutputTag<>("late", Types.STRING);
        SingleOutputStreamOperator<String> rows = keyed.window(windows)
                .allowedLateness(Duration.ofMillis(latenessMs))
                .sideOutputLateData(late)
                .process(new Features(view), Types.STRING);
        rows.map(Windows::keepLine, Types.STRING).sinkTo(new DiscardingSink<>());
        rows.getSideOutput(late)
                .map(event -> keepLine(lateLine(view, event)), Types.STRING)
                .sinkTo(new DiscardingSink<>());
    }

    private static String keepLine(String line) {
        LINES.add(line);
        return line;
    }

    private static String lateLine(String view, String event) {
        return JSON.createObjectNode()
                .put("feature_view", view)
                .put("user_id", userId(event))
                .put("late", true)
                .put("event_time", eventTime(event))
                .toString();
    }

    private static JsonNode parse(String event) {
        try {
            return JSON.readTree(event);
        } catch (Exception error) {
            throw new IllegalArgumentException(event, error);
        }
    }

    private static String userId(String event) {
        return parse(event).get("user_id").asText();
    }

    private static long eventTime(String event) {
        String text = parse(event).get("event_time").asText();
        boolean hasOffset = text.matches(".*(Z|[+-]\\d\\d:?\\d\\d)$");
        return hasOffset
                ? OffsetDateTime.parse(text).toInstant().toEpochMilli()
                : LocalDateTime.parse(text).toInstant(ZoneOffset.UTC).toEpochMilli();
    }

    /** Emits a watermark after every event, as a partition's watermark moves in Windrow. */
    private static class WatermarkOfEachEvent implements WatermarkGenerator<String> {
        private long latest = Long.MIN_VALUE;

        @Override
        public void onEvent(String event, long timestamp, WatermarkOutput output) {
            latest = Math.max(latest, timestamp);
            output.emitWatermark(new Watermark(latest - MAX_OUT_OF_ORDERNESS_MS - 1));
        }

        @Override
        public void onPeriodicEmit(WatermarkOutput output) {}
    }

    private static class Features extends ProcessWindowFunction<String, String, String, TimeWindow> {
        private final String view;

        Features(String view) {
            this.view = view;
        }

        @Override
        public void process(String user, Context context, Iterable<String> events, Collector<String> out) {
            TimeWindow window = context.window();
            long count = 0, views = 0, carts = 0, purchases = 0, pricedViews = 0;
            long first = Long.MAX_VALUE, last = Long.MIN_VALUE;
            double viewedPrices = 0;
            for (String text : events) {
                JsonNode event = parse(text);
                String type = event.path("event_type").asText();
                count++;
                first = Math.min(first, eventTime(text));
                last = Math.max(last, eventTime(text));
                views += type.equals("view") ? 1 : 0;
                carts += type.equals("cart") ? 1 : 0;
                purchases += type.equals("purchase") ? 1 : 0;
                if (type.equals("view") && event.hasNonNull("price")) {
                    pricedViews++;
                    viewedPrices += event.get("price").asDouble();
                }
            }
            ObjectNode row = JSON.createObjectNode()
                    .put("feature_view", view)
                    .put("user_id", user)
                    .put("window_start", window.getStart())
                    .put("window_end", window.getEnd());
            if (view.equals("user_features")) {
                row.put("view_count_1h", views).put("cart_count_1h", carts).put("purchase_count_1h", purchases);
                row.put("avg_viewed_price_1h", pricedViews == 0 ? 0.0 : viewedPrices / pricedViews);
            } else {
                row.put("event_count", count).put("duration_seconds", (last - first) / 1000);
            }
            out.collect(row.toString());
        }
    }
}
