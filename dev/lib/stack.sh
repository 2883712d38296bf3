# shellcheck shell=bash
# The stack that start.sh runs and stop.sh stops: its names, ports and folders, and how each part is stopped.
# Expects ROOT (the project's folder); uses say.sh, process.sh and port.sh.
# shellcheck disable=SC2034 # the variables are for the scripts that read this file

STACK_HOME=${WINDROW_HOME:-$ROOT/.windrow}
KAFKA_PORT=${WINDROW_KAFKA_PORT:-9092}
REDIS_PORT=${WINDROW_REDIS_PORT:-6379}
KAFKA_UI_PORT=${WINDROW_KAFKA_UI_PORT:-8080}
UI_PORT=${WINDROW_UI_PORT:-8081}
TOPIC=ecommerce-events
PARTITIONS=4
PIPELINE=pipelines/ecommerce.toml
WINDROW=${WINDROW_BIN:-${CARGO_TARGET_DIR:-$ROOT/target}/debug/windrow}

KAFKA_DIR=$STACK_HOME/kafka
REDIS_DIR=$STACK_HOME/redis
JOB_PID=$STACK_HOME/windrow.pid
JOB_LOG=$STACK_HOME/windrow.log
KAFKA_UI_PID=$STACK_HOME/kafka-ui.pid
KAFKA_UI_LOG=$STACK_HOME/kafka-ui.log
SAMPLE_PID=$STACK_HOME/generate.pid
SAMPLE_LOG=$STACK_HOME/generate.log
# How the stack was started: docker, native, or demo (Apache Kafka is not available).
MODE_FILE=$STACK_HOME/mode

stack_mode() { cat "$MODE_FILE" 2>/dev/null || true; }

# Options for `windrow`: the ports and folders that differ from the shipped pipeline file.
SETTINGS=()
[[ $KAFKA_PORT == 9092 ]] || SETTINGS+=(--set "source.kafka.brokers=localhost:$KAFKA_PORT")
[[ $REDIS_PORT == 6379 ]] || SETTINGS+=(--set "sink.redis.url=redis://localhost:$REDIS_PORT")
[[ -z ${WINDROW_HOME:-} ]] || SETTINGS+=(--set "checkpoint.store=file:$STACK_HOME/checkpoints")

compose() { WINDROW_KAFKA_PORT=$KAFKA_PORT WINDROW_REDIS_PORT=$REDIS_PORT docker compose --project-directory "$ROOT" "$@"; }

# The five native parts. A stop has no effect unless the process of the pid file lives.
running_sample() { process_alive "$SAMPLE_PID"; }
running_job() { process_alive "$JOB_PID"; }
running_kafka_ui() { process_alive "$KAFKA_UI_PID"; }
running_kafka() { process_alive "$KAFKA_DIR/kafka.pid"; }
running_redis() { process_alive "$REDIS_DIR/redis.pid"; }

stop_sample() { process_stop "$SAMPLE_PID" 10; }
# The job first writes the rows of all records it has read.
stop_job() { process_stop "$JOB_PID" 30; }
stop_kafka_ui() { process_stop "$KAFKA_UI_PID" 10; }
stop_kafka() { "$ROOT/dev/kafka.sh" stop --dir "$KAFKA_DIR"; }
stop_redis() { "$ROOT/dev/redis.sh" stop --dir "$REDIS_DIR"; }

# In this order no part waits for one that is already stopped.
STOP_ORDER=(sample job kafka_ui kafka redis)

part_name() {
    case $1 in
        sample) echo 'sample traffic' ;;
        job) echo 'windrow' ;;
        kafka_ui) echo 'Kafka UI' ;;
        kafka) echo 'Kafka' ;;
        redis) echo 'Redis' ;;
    esac
}
