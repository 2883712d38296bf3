// Reads every answer of Windrow's Flink REST with Flink's own client, class by class: dev/flink.sh read HOST:PORT JOB.
// Prints a line per answer; the first that the client cannot read ends it with exit code 1.

import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.jobgraph.JobVertexID;
import org.apache.flink.runtime.rest.RestClient;
import org.apache.flink.runtime.rest.messages.*;
import org.apache.flink.runtime.rest.messages.checkpoints.*;
import org.apache.flink.runtime.rest.messages.job.*;
import org.apache.flink.runtime.rest.messages.job.metrics.*;
import org.apache.flink.runtime.rest.messages.job.savepoints.*;
import org.apache.flink.runtime.rest.messages.taskmanager.*;

public class Read {
    private static RestClient client;
    private static String host;
    private static int port;

    public static void main(String[] arguments) throws Exception {
        host = arguments[0].split(":")[0];
        port = Integer.parseInt(arguments[0].split(":")[1]);
        JobID job = JobID.fromHexString(arguments[1]);
        var executor = Executors.newSingleThreadExecutor();
        client = new RestClient(new Configuration(), executor);
        try {
            read(DashboardConfigurationHeaders.getInstance(), EmptyMessageParameters.getInstance());
            read(ClusterOverviewHeaders.getInstance(), EmptyMessageParameters.getInstance());
            read(TaskManagersHeaders.getInstance(), EmptyMessageParameters.getInstance());
            read(JobIdsWithStatusesOverviewHeaders.getInstance(), EmptyMessageParameters.getInstance());
            read(JobsOverviewHeaders.getInstance(), EmptyMessageParameters.getInstance());
            read(JobStatusInfoHeaders.getInstance(), of(new JobMessageParameters(), job));
            read(JobExceptionsHeaders.getInstance(), of(new JobExceptionsMessageParameters(), job));
            read(CheckpointConfigHeaders.getInstance(), of(new JobMessageParameters(), job));
            CheckpointingStatistics checkpoints =
                    read(CheckpointingStatisticsHeaders.getInstance(), of(new JobMessageParameters(), job));
            for (CheckpointStatistics one : checkpoints.getHistory()) {
                CheckpointMessageParameters parameters = of(new CheckpointMessageParameters(), job);
                for (MessagePathParameter<?> parameter : parameters.getPathParameters()) {
                    if (parameter instanceof CheckpointIdPathParameter at) at.resolve(one.getId());
                }
                read(CheckpointStatisticDetailsHeaders.getInstance(), parameters);
            }
            for (int n = 2; n < arguments.length; n++) {
                SavepointStatusMessageParameters parameters = new SavepointStatusMessageParameters();
                parameters.jobIdPathParameter.resolve(job);
                parameters.triggerIdPathParameter.resolve(TriggerId.fromHexString(arguments[n]));
                var answer = read(SavepointStatusHeaders.getInstance(), parameters);
                if (answer.resource() != null && answer.resource().getFailureCause() != null) {
                    System.out.println("  " + answer.resource().getFailureCause().getFullStringifiedStackTrace());
                }
            }
            JobDetailsInfo details = read(JobDetailsHeaders.getInstance(), of(new JobMessageParameters(), job));
            for (JobDetailsInfo.JobVertexDetailsInfo vertex : details.getJobVertexInfos()) {
                JobVertexID id = vertex.getJobVertexID();
                read(JobVertexDetailsHeaders.getInstance(), of(new JobVertexMessageParameters(), job, id));
                read(JobVertexBackPressureHeaders.getInstance(), of(new JobVertexMessageParameters(), job, id));
                read(JobVertexWatermarksHeaders.INSTANCE, of(new JobVertexMessageParameters(), job, id));
                JobVertexMetricsMessageParameters asked = new JobVertexMetricsMessageParameters();
                asked.jobPathParameter.resolve(job);
                asked.jobVertexIdPathParameter.resolve(id);
                read(JobVertexMetricsHeaders.getInstance(), asked);
                filter(asked, List.of("0.numRecordsIn", "0.busyTimeMsPerSecond"));
                read(JobVertexMetricsHeaders.getInstance(), asked);
                AggregatedSubtaskMetricsParameters over = new AggregatedSubtaskMetricsParameters();
                for (MessagePathParameter<?> parameter : over.getPathParameters()) {
                    if (parameter instanceof JobIDPathParameter at) at.resolve(job);
                    if (parameter instanceof JobVertexIdPathParameter at) at.resolve(id);
                }
                filter(over, List.of("numRecordsIn"));
                read(AggregatedSubtaskMetricsHeaders.getInstance(), over);
            }
        } finally {
            client.closeAsync().get(10, TimeUnit.SECONDS);
            executor.shutdownNow();
        }
    }

    private static <M extends MessageParameters, P extends ResponseBody> P read(
            MessageHeaders<EmptyRequestBody, P, M> headers, M parameters) throws Exception {
        P answer = client.sendRequest(host, port, headers, parameters, EmptyRequestBody.getInstance())
                .get(30, TimeUnit.SECONDS);
        System.out.println("read " + headers.getTargetRestEndpointURL() + " as " + answer.getClass().getSimpleName());
        return answer;
    }

    private static void filter(MessageParameters parameters, List<String> names) {
        for (MessageQueryParameter<?> parameter : parameters.getQueryParameters()) {
            if (parameter instanceof MetricsFilterParameter filter) filter.resolve(names);
        }
    }

    private static <M extends JobMessageParameters> M of(M parameters, JobID job) {
        parameters.jobPathParameter.resolve(job);
        return parameters;
    }

    private static JobVertexMessageParameters of(JobVertexMessageParameters parameters, JobID job, JobVertexID vertex) {
        parameters.jobPathParameter.resolve(job);
        parameters.jobVertexIdPathParameter.resolve(vertex);
        return parameters;
    }
}
