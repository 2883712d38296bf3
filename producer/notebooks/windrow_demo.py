"""What both notebooks share: the addresses of the stack, the latest event time, sending events, and waiting for rows."""

import json
import os
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone

import pandas as pd
import redis
from confluent_kafka import Consumer, Producer, TopicPartition

BROKERS = os.environ.get("WINDROW_BROKERS", f"localhost:{os.environ.get('WINDROW_KAFKA_PORT', '9092')}")
REDIS_URL = os.environ.get("WINDROW_REDIS_URL", f"redis://localhost:{os.environ.get('WINDROW_REDIS_PORT', '6379')}")
TOPIC = os.environ.get("WINDROW_TOPIC", "ecommerce-events")

MAX_OUT_OF_ORDERNESS = timedelta(seconds=10)
"""As in `pipelines/ecommerce.toml`: a partition's watermark stays this far behind its latest event."""

NEWEST_RECORDS = 100_000
"""How many of each partition's newest records `time_reached` looks at: hours of sample traffic."""

store = redis.Redis.from_url(REDIS_URL, decode_responses=True)


def time_reached() -> datetime:
    """The latest event time in the topic, or the wall clock if it is later: no partition's watermark is beyond it.

    The watermark of a partition without new records follows the wall clock.
    """
    consumer = Consumer({"bootstrap.servers": BROKERS, "group.id": "notebooks", "enable.auto.commit": False})
    try:
        unread = {}
        for partition in consumer.list_topics(TOPIC, timeout=15).topics[TOPIC].partitions:
            first, end = consumer.get_watermark_offsets(TopicPartition(TOPIC, partition), timeout=15)
            if first < end:
                unread[partition] = (max(first, end - NEWEST_RECORDS), end)
        consumer.assign([TopicPartition(TOPIC, partition, first) for partition, (first, _) in unread.items()])
        latest = datetime.now(timezone.utc)
        while unread:
            for message in consumer.consume(10_000, timeout=1):
                latest = max(latest, _event_time(message.value()) or latest)
                if message.offset() + 1 >= unread.get(message.partition(), (0, float("inf")))[1]:
                    del unread[message.partition()]
        return latest.replace(microsecond=0)
    finally:
        consumer.close()


def _event_time(payload: bytes | None) -> datetime | None:
    """The event's time if it is in the notation of the sample traffic; other records do not matter here."""
    try:
        return datetime.fromisoformat(json.loads(payload)["event_time"]).replace(tzinfo=timezone.utc)
    except (ValueError, TypeError, KeyError):
        return None


def send(events: pd.DataFrame) -> set[int]:
    """Sends the events in the order of their event time, keyed by user. Returns the partitions they went to."""
    return _produce((_payload(event), None) for event in events.sort_values("event_time").to_dict("records"))


def send_later_event(partitions: Iterable[int], at: datetime) -> None:
    """Sends one event dated `at` to each of the partitions, from a user of its own that has no other event."""
    run = time.time_ns()
    _produce(
        (
            _payload({"event_time": at, "event_type": "view", "user_id": f"clock-{run}-{partition}", "price": 0.0}),
            partition,
        )
        for partition in partitions
    )


def _payload(event: dict) -> dict:
    return event | {"event_time": event["event_time"].strftime("%Y-%m-%dT%H:%M:%S")}


def _produce(payloads: Iterable[tuple[dict, int | None]]) -> set[int]:
    partitions, failures = set(), []

    def delivered(error, message):
        failures.append(error) if error else partitions.add(message.partition())

    # The partitioner of the Java clients and of `windrow generate`: one user, one partition, for every producer.
    producer = Producer(
        {"bootstrap.servers": BROKERS, "partitioner": "murmur2_random", "enable.idempotence": True, "linger.ms": 5}
    )
    for payload, partition in payloads:
        where = {} if partition is None else {"partition": partition}
        producer.produce(TOPIC, json.dumps(payload), key=payload["user_id"], on_delivery=delivered, **where)
    producer.flush(30)
    if failures or not partitions:
        raise RuntimeError(f"Kafka at {BROKERS} did not take the events: {failures[:1] or 'no answer'}")
    return partitions


def wait_for_rows(keys: Iterable[str], complete: Callable[[dict], bool], seconds: float = 60) -> pd.DataFrame:
    """The Redis rows of the keys, with their remaining TTL, as soon as each is there and `complete`."""
    keys, until = list(keys), time.monotonic() + seconds
    while True:
        rows = {key: store.hgetall(key) for key in keys}
        missing = [key for key, row in rows.items() if not row or not complete(row)]
        if not missing:
            return pd.DataFrame([{"key": key, **row, "ttl": store.ttl(key)} for key, row in rows.items()])
        if time.monotonic() > until:
            raise TimeoutError(f"not in Redis after {seconds:.0f} s: {missing}. Is the job running (./start.sh)?")
        time.sleep(0.2)
