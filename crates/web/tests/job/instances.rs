//! Several instances show one job.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use windrow_connectors::object_store::ObjectStoreOpener;
use windrow_connectors::redis::NOT_ACKNOWLEDGED;
use windrow_engine::{CheckpointStore, CheckpointStoreOpener, ListedObject, StoreFault};
use windrow_test_support::HANG_TIMEOUT;
use windrow_web::JobReport;
use windrow_web::health::describe_unreadiness;
use windrow_web::job::{AttentionLevel, JobState};
use windrow_web::peers::{INSTANCE_GONE_AFTER, ReportPublisher};
use windrow_web::report::{
    DelayHistogramReport, FeatureOverflowReport, HistorySample, IncompleteFeatureReport, InputProblemReport,
    MissingRowsReport, ParkedPartitionReport, PartitionReport, ReachabilityReport, ReportedProblemKind,
};

use crate::support::{TestServer, eventually, instance_report, now_ms};

#[test]
fn each_instance_shows_the_whole_job_until_one_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = format!("file:{}", folder.path().display());
    let one = TestServer::with(&place, instance_report("00000000000000aa", &[0, 1]), None);
    let two = TestServer::with(&place, instance_report("00000000000000bb", &[2, 3]), None);
    let first = ReportPublisher::start(&one.context);
    let second = ReportPublisher::start(&two.context);
    for site in [&one, &two] {
        eventually("the whole job", || {
            let said = site.json("/api/partitions");
            said["partitions"].as_array()?.iter().all(|one| one["instance"].is_string()).then_some(())
        });
        let overview = site.json("/api/overview");
        assert_eq!(overview["totals"]["partitions_owned"], 4);
        assert_eq!(overview["totals"]["records"], 20);
        assert_eq!(overview["totals"]["lag"], 20);
        assert_eq!(overview["job"]["state"], "running");
        assert_eq!(overview["instances"][0]["here"], true);
        assert_eq!(overview["instances"][1]["here"], false);
    }
    assert_eq!(one.json("/api/overview")["job"]["id"], two.json("/api/overview")["job"]["id"]);
    // Reports replace each other, and so do the marks of open pages: one object of each kind per instance.
    std::thread::sleep(Duration::from_secs(6));
    let objects = std::fs::read_dir(folder.path().join("instances")).expect("it is there");
    let names: Vec<_> =
        objects.map(|entry| entry.expect("readable").file_name().into_string().expect("text")).collect();
    let mark_count = names.iter().filter(|name| name.contains("-page-")).count();
    assert!(mark_count <= 3 && names.len() - mark_count <= 3, "{names:?}");
    second.stop_and_delete_own_objects(Duration::from_secs(5));
    eventually("one instance only", || (one.json("/api/instances")["instances"].as_array()?.len() == 1).then_some(()));
    assert_eq!(one.json("/api/overview")["job"]["state"], "degraded");
    first.stop_and_delete_own_objects(Duration::from_secs(5));
}

/// A killed instance leaves its report behind, and counts as gone all the same.
#[test]
fn a_silent_instance_counts_as_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let site =
        TestServer::with(&format!("file:{}", folder.path().display()), instance_report("00000000000000aa", &[0]), None);
    let mut dead = instance_report("00000000000000bb", &[1]);
    dead.reported_at_ms = now_ms() - i64::try_from(INSTANCE_GONE_AFTER.as_millis()).expect("short") + 3_000;
    let put = |name: &str, bytes: Vec<u8>| {
        site.context.checkpoint_store.create_object(&format!("instances/{name}"), bytes).expect("room");
    };
    put("00000000000000bb-0000000007", serde_json::to_vec(&dead).expect("JSON"));
    // Of a newer version, of a wrong name, damaged.
    put(
        "00000000000000cc-0000000001",
        b"{\"instance\": \"00000000000000cc\", \"new\": [1], \"reported_at_ms\": 0}".to_vec(),
    );
    put("00000000000000dd-0000000001", b"{\"instance\": \"another\"}".to_vec());
    put("00000000000000ee-0000000001", b"{".to_vec());
    put("nonsense", Vec::new());
    let count = || site.json("/api/instances")["instances"].as_array().expect("instances").len();
    assert_eq!(count(), 2);
    let began = Instant::now();
    eventually("the end of the silent one", || (count() == 1).then_some(()));
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
}

/// A store that does not answer.
#[derive(Default, Debug)]
struct HangingStore {
    savepoint_lists: AtomicUsize,
}

impl CheckpointStore for HangingStore {
    fn create_object(&self, _: &str, _: Vec<u8>) -> Result<(), StoreFault> {
        std::thread::sleep(HANG_TIMEOUT * 2);
        Ok(())
    }
    fn read_object(&self, _: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        Ok(None)
    }
    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        if folder.starts_with("savepoint") {
            self.savepoint_lists.fetch_add(1, Ordering::Relaxed);
        }
        std::thread::sleep(HANG_TIMEOUT * 2);
        Ok(Vec::new())
    }
    fn delete_objects(&self, _: &[String]) -> Result<(), StoreFault> {
        Ok(())
    }
    fn place(&self) -> &'static str {
        "hanging:"
    }
}

/// Counts the calls to a store of several instances.
#[derive(Debug)]
struct CountingStore {
    inner: Arc<dyn CheckpointStore>,
    lists: AtomicUsize,
    reads: AtomicUsize,
    writes: AtomicUsize,
    read_delay: Duration,
}

impl CheckpointStore for CountingStore {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.create_object(name, bytes)
    }
    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(self.read_delay);
        self.inner.read_object(name)
    }
    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        self.lists.fetch_add(1, Ordering::Relaxed);
        self.inner.list_objects(folder)
    }
    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.inner.delete_objects(names)
    }
    fn place(&self) -> &str {
        self.inner.place()
    }
}

impl CountingStore {
    fn in_memory(read_delay: Duration) -> Arc<Self> {
        let stores = ObjectStoreOpener::new().expect("a runtime");
        Arc::new(Self {
            inner: stores.open_store("memory:").expect("a place"),
            lists: AtomicUsize::default(),
            reads: AtomicUsize::default(),
            writes: AtomicUsize::default(),
            read_delay,
        })
    }

    fn take_counts(&self) -> [usize; 3] {
        [&self.lists, &self.reads, &self.writes].map(|count| count.swap(0, Ordering::Relaxed))
    }
}

/// Several instances over one store.
struct InstanceGroup {
    store: Arc<CountingStore>,
    servers: Vec<TestServer>,
    publishers: Vec<ReportPublisher>,
}

impl InstanceGroup {
    fn start(instance_count: usize) -> Self {
        let store = CountingStore::in_memory(Duration::ZERO);
        let servers: Vec<TestServer> = (0..instance_count)
            .map(|number| {
                let server = TestServer::with_store(Arc::<CountingStore>::clone(&store));
                *server.report_source.0.lock() = instance_report(&format!("{number:016x}"), &[0]);
                server
            })
            .collect();
        let publishers = servers.iter().map(|server| ReportPublisher::start(&server.context)).collect();
        Self { store, servers, publishers }
    }

    fn count_instances(&self) -> usize {
        self.servers[0].json("/api/instances")["instances"].as_array().map_or(0, Vec::len)
    }

    fn end(self) {
        self.publishers.into_iter().for_each(|one| one.stop_and_delete_own_objects(Duration::from_secs(5)));
    }
}

/// No instance reads the reports of the others until a page asks for them.
#[test]
fn instances_read_reports_only_for_a_page() {
    let group = InstanceGroup::start(4);
    eventually("all reports", || (group.store.writes.load(Ordering::Relaxed) >= 4).then_some(()));
    group.store.take_counts();
    std::thread::sleep(Duration::from_secs(8));
    let [lists, reads, _] = group.store.take_counts();
    assert!(lists > 0 && reads == 0, "{lists} lists, {reads} reads without a page");
    eventually("all instances on the page", || (group.count_instances() == 4).then_some(()));
    let [_, reads, _] = group.store.take_counts();
    assert!(reads >= 4, "{reads} reads for a page");
    // An open page makes the others publish more often: their reports on the page grow no older than this.
    eventually("fresh reports", || {
        let instances = group.servers[0].json("/api/instances");
        let oldest =
            instances["instances"].as_array()?.iter().filter_map(|one| one["reported_at_ms"].as_i64()).min()?;
        std::thread::sleep(Duration::from_secs(1));
        (group.count_instances() == 4 && now_ms() - oldest < 8_000).then_some(())
    });
    group.end();
}

/// The reports are read side by side, and each request of the page waits for them.
#[test]
fn the_first_page_shows_all_instances() {
    let store = CountingStore::in_memory(Duration::from_millis(700));
    for number in 1..=12 {
        let instance = format!("{number:016x}");
        let mut report = instance_report(&instance, &[]);
        report.reported_at_ms = now_ms();
        let object = serde_json::to_vec(&report).expect("JSON");
        store.create_object(&format!("instances/{instance}-0000000001"), object).expect("room");
    }
    let site = TestServer::with_store(Arc::<CountingStore>::clone(&store));
    let counts = std::thread::scope(|scope| {
        let requests = [0, 0, 200].map(|delay_ms| {
            let site = &site;
            scope.spawn(move || {
                std::thread::sleep(Duration::from_millis(delay_ms));
                site.json("/api/instances")["instances"].as_array().map_or(0, Vec::len)
            })
        });
        requests.map(|request| request.join().expect("an answer"))
    });
    assert_eq!(counts, [13; 3]);
}

/// A store whose first call that reads an object breaks down.
#[derive(Debug)]
struct StoreThatBreaksOnce {
    store: Arc<CountingStore>,
    has_broken: AtomicBool,
}

impl CheckpointStore for StoreThatBreaksOnce {
    fn create_object(&self, name: &str, bytes: Vec<u8>) -> Result<(), StoreFault> {
        self.store.create_object(name, bytes)
    }

    fn read_object(&self, name: &str) -> Result<Option<Vec<u8>>, StoreFault> {
        assert!(self.has_broken.swap(true, Ordering::Relaxed), "the test breaks this call");
        self.store.read_object(name)
    }

    fn list_objects(&self, folder: &str) -> Result<Vec<ListedObject>, StoreFault> {
        self.store.list_objects(folder)
    }

    fn delete_objects(&self, names: &[String]) -> Result<(), StoreFault> {
        self.store.delete_objects(names)
    }

    fn place(&self) -> &str {
        self.store.place()
    }
}

/// A bug, or a thread that the operating system refuses, ends a refresh of the reports early. Later pages refresh again.
#[test]
fn a_refresh_that_breaks_down_is_not_the_last() {
    let store = CountingStore::in_memory(Duration::ZERO);
    let mut report = instance_report("00000000000000bb", &[]);
    report.reported_at_ms = now_ms();
    let object = serde_json::to_vec(&report).expect("JSON");
    store.create_object("instances/00000000000000bb-0000000001", object).expect("room");
    let site = TestServer::with_store(Arc::new(StoreThatBreaksOnce { store, has_broken: AtomicBool::new(false) }));
    eventually("the other instance", || {
        (site.json("/api/instances")["instances"].as_array()?.len() == 2).then_some(())
    });
}

/// The store does not list the instances: the page cannot know whether another one reads the partition.
#[test]
fn a_page_that_has_not_read_all_instances_does_not_call_for_an_operator() {
    let site = TestServer::with_store(Arc::new(HangingStore::default()));
    *site.report_source.0.lock() = instance_report("00000000000000aa", &[0, 2]);
    let attention = site.json("/api/overview")["attention"].clone();
    let text = attention.to_string();
    assert!(text.contains("Not all instances have been read yet"), "{text}");
    assert!(!text.contains("No instance reads"), "{text}");
}

#[test]
fn pages_do_not_wait_for_a_store_that_hangs_and_do_not_pile_up_in_it() {
    let store = Arc::new(HangingStore::default());
    let site = TestServer::with_store(Arc::<HangingStore>::clone(&store));
    // Longer than a list of savepoints is reused.
    for _ in 0..7 {
        let began = Instant::now();
        for page in ["overview", "partitions", "checkpoints", "problems"] {
            site.json(&format!("/api/{page}"));
        }
        assert!(began.elapsed() < HANG_TIMEOUT, "{:?}", began.elapsed());
        std::thread::sleep(Duration::from_secs(1));
    }
    assert_eq!(store.savepoint_lists.load(Ordering::Relaxed), 1);
}

#[test]
fn a_store_that_hangs_does_not_keep_a_cancelled_job_going() {
    let site = TestServer::with_store(Arc::new(HangingStore::default()));
    let job = site.json("/jobs")["jobs"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(site.request("PATCH", &format!("/jobs/{job}?mode=cancel"), &[], "").status, 202);
    eventually("the stop", || site.context.stop_signal.is_requested().then_some(()));
}

#[test]
fn a_partition_belongs_to_the_larger_epoch() {
    let (mut a, mut b) = (instance_report("a", &[0, 1, 2, 3]), instance_report("b", &[]));
    b.owned_partitions.push(PartitionReport { partition: 3, epoch: 8, lag: Some(70), ..PartitionReport::default() });
    a.workers.clear();
    let job = JobReport { assembled_at_ms: now_ms(), instances: vec![a, b], ..JobReport::default() };
    let owners: Vec<_> = job
        .partitions_and_owners()
        .iter()
        .map(|one| one.owner.expect("an owner").instance.instance_id.clone())
        .collect();
    assert_eq!(owners, ["a", "a", "a", "b"]);
    assert_eq!(job.compute_totals().lag, Some(85));
    assert_eq!(job.compute_totals().partition_count, 4);
}

#[test]
fn what_is_away_for_one_is_away_for_the_job() {
    let (a, mut b) = (instance_report("a", &[0, 1]), instance_report("b", &[2, 3]));
    b.redis_writer.reachability =
        ReachabilityReport { unreachable_since_ms: Some(5), unreachable_reason: Some("gone".to_owned()) };
    let job = JobReport { assembled_at_ms: 12_005, instances: vec![a, b], ..JobReport::default() };
    assert_eq!(job.compute_job_state(), JobState::Degraded);
    let attention = job.attention_items(30_000);
    assert_eq!(attention[0].problem, "Redis has been unreachable for 12 s: gone");

    // Redis answers, but its replicas do not have the rows: another problem, with another remedy.
    let mut job = job;
    let reason = format!("{NOT_ACKNOWLEDGED}: 0 of 1 replicas have them");
    job.instances[1].redis_writer.reachability.unreachable_reason = Some(reason.clone());
    let attention = job.attention_items(30_000);
    assert_eq!(attention[0].problem, format!("For 12 s: {reason}"));
    assert!(attention[0].remedy.contains("sink.redis.wait_replicas"), "{}", attention[0].remedy);
    assert_eq!(describe_unreadiness(&job.instances[1]), [format!("Redis: {reason}")]);
    let reason = format!("{NOT_ACKNOWLEDGED}: they are not on the disk of Redis (sink.redis.wait_aof)");
    job.instances[1].redis_writer.reachability.unreachable_reason = Some(reason);
    let remedy = &job.attention_items(30_000)[0].remedy;
    assert!(remedy.contains("append-only file") && !remedy.contains("replicas"), "{remedy}");
}

/// Of each kind of fault, the newest of all instances is shown, for five minutes; of overflows, that of each feature.
#[test]
fn faults_of_the_input_need_an_operator() {
    let problem = |kind, found_at_ms, problem: &str| InputProblemReport {
        found_at_ms,
        problem_kind: kind,
        problem: problem.to_owned(),
        remedy: "Correct it.".to_owned(),
    };
    let (mut a, mut b) = (instance_report("a", &[0, 1]), instance_report("b", &[2, 3]));
    a.recent_input_problems = vec![
        problem(ReportedProblemKind::MisplacedRecord, 1_000, "an older record"),
        problem(ReportedProblemKind::MisreadEventTime, 1_500, "a time"),
        problem(ReportedProblemKind::Overflow, 1_600, "a sum"),
        problem(ReportedProblemKind::Overflow, 1_550, "another sum"),
    ];
    b.recent_input_problems = vec![
        problem(ReportedProblemKind::MisplacedRecord, 2_000, "a record"),
        problem(ReportedProblemKind::Overflow, 1_540, "another sum"),
    ];
    let items = |assembled_at_ms| {
        let job = JobReport { assembled_at_ms, instances: vec![a.clone(), b.clone()], ..JobReport::default() };
        let items = job.attention_items(30_000).into_iter().filter(|item| item.remedy == "Correct it.");
        items.map(|item| (item.level, item.problem)).collect::<Vec<_>>()
    };
    let expected = [
        (AttentionLevel::Act, "a record".to_owned()),
        (AttentionLevel::Act, "a time".to_owned()),
        (AttentionLevel::Soon, "a sum".to_owned()),
        (AttentionLevel::Soon, "another sum".to_owned()),
    ];
    assert_eq!(items(3_000), expected);
    assert_eq!(items(301_900), expected[..1], "five minutes after the others");
}

/// A feature is complete from the time on from which it is complete in the partitions of all instances.
#[test]
fn the_latest_time_decides_from_when_on_a_feature_is_complete() {
    let incomplete = |features: &[(&str, i64)]| {
        let report = |&(name, complete_from_ms): &(&str, i64)| IncompleteFeatureReport {
            feature_name: name.to_owned(),
            complete_from_ms,
        };
        features.iter().map(report).collect::<Vec<_>>()
    };
    let (mut a, mut b) = (instance_report("a", &[0, 1]), instance_report("b", &[2, 3]));
    a.views[0].incomplete_features = incomplete(&[("spent", 70)]);
    b.views[0].incomplete_features = incomplete(&[("weight", 10), ("spent", 60)]);
    let job = JobReport { assembled_at_ms: 1_000, instances: vec![a, b], ..JobReport::default() };
    assert_eq!(job.sum_view_reports()[0].incomplete_features, incomplete(&[("spent", 70), ("weight", 10)]));
}

/// While a pipeline is replaced, instances may have other features in a view.
#[test]
fn overflows_are_added_up_by_the_name_of_the_feature() {
    let overflows = |counts: &[(&str, u64)]| {
        let report = |&(name, count): &(&str, u64)| FeatureOverflowReport {
            feature_name: name.to_owned(),
            overflow_count: count,
        };
        counts.iter().map(report).collect::<Vec<_>>()
    };
    let (mut a, mut b) = (instance_report("a", &[0, 1]), instance_report("b", &[2, 3]));
    a.views[0].feature_overflows = overflows(&[("spent", 1), ("weight", 2)]);
    b.views[0].feature_overflows = overflows(&[("cost", 10), ("spent", 20), ("weight", 30)]);
    let job = JobReport { assembled_at_ms: 1_000, instances: vec![a, b], ..JobReport::default() };
    assert_eq!(job.sum_view_reports()[0].feature_overflows, overflows(&[("spent", 21), ("weight", 32), ("cost", 10)]));
}

#[test]
fn a_parked_partition_needs_an_operator() {
    let mut a = instance_report("a", &[0, 1, 3]);
    a.parked_partitions = vec![ParkedPartitionReport {
        partition: 2,
        parked_at_ms: 900_000,
        retry_at_ms: 1_040_000,
        fault: "no checkpoint can be read".to_owned(),
        remedy: "Restore the checkpoints".to_owned(),
    }];
    let mut job = JobReport { assembled_at_ms: 1_000_000, instances: vec![a], ..JobReport::default() };
    let items = job.attention_items(30_000);
    let item = items.iter().find(|item| item.problem.contains("parked")).expect("an item");
    assert_eq!(
        (item.level, item.problem.as_str(), item.remedy.as_str()),
        (
            AttentionLevel::Act,
            "Partition 2 is parked and not read: no checkpoint can be read",
            "Restore the checkpoints. The next attempt to read it is in 40 s; the other partitions are read meanwhile."
        )
    );
    assert!(items.iter().all(|item| !item.problem.contains("No instance reads")), "{items:?}");
    assert_eq!(job.compute_job_state(), JobState::Degraded);

    // Another instance reads the partition meanwhile, and this instance has not reported since.
    job.instances.push(instance_report("b", &[2]));
    let items = job.attention_items(30_000);
    assert!(items.iter().all(|item| !item.problem.contains("parked")), "{items:?}");
    assert_eq!(job.compute_job_state(), JobState::Running);
}

#[test]
fn many_parked_partitions_are_summarized() {
    let mut a = instance_report("a", &[]);
    let parked = |partition| ParkedPartitionReport { partition, ..ParkedPartitionReport::default() };
    a.parked_partitions = (0..12).map(parked).collect();
    a.topic_partition_count = 12;
    let items =
        JobReport { assembled_at_ms: now_ms(), instances: vec![a], ..JobReport::default() }.attention_items(30_000);
    let parked: Vec<&str> =
        items.iter().map(|item| &*item.problem).filter(|problem| problem.contains("parked")).collect();
    assert_eq!(parked.len(), 11, "{parked:?}");
    assert_eq!(parked[10], "2 further partitions are parked and not read");
}

#[test]
fn rows_that_redis_lost_for_good_need_an_operator() {
    let mut a = instance_report("a", &[0, 1, 2, 3]);
    let description = "rows 3 to 7 of `user_features` in partition 2".to_owned();
    a.missing_rows = vec![MissingRowsReport {
        noticed_at_ms: 1_000_000,
        partition: 2,
        view_name: "user_features".to_owned(),
        row_count: 5,
        description,
    }];
    let items = |assembled_at_ms| {
        JobReport { assembled_at_ms, instances: vec![a.clone()], ..JobReport::default() }.attention_items(30_000)
    };
    let item = items(1_005_000).into_iter().find(|item| item.problem.contains("lost")).expect("an item");
    assert_eq!(item.level, AttentionLevel::Act);
    assert_eq!(
        item.problem,
        "Redis has lost 5 rows that no checkpoint produces again: rows 3 to 7 of `user_features` in partition 2"
    );
    let a_day_later = items(1_000_000 + 86_400_000);
    assert!(a_day_later.iter().all(|item| !item.problem.contains("lost")), "{a_day_later:?}");
}

#[test]
fn the_last_hour_is_added_up() {
    let now_ms = 1_000_000_000;
    let moment = |at_ms, lag| HistorySample {
        interval_start_ms: at_ms,
        records_read: 100,
        lag: Some(lag),
        watermark_delay_ms: Some(at_ms % 7),
        ..HistorySample::default()
    };
    let (mut a, mut b) = (instance_report("a", &[]), instance_report("b", &[]));
    a.history = vec![moment(999_970_000, 0), moment(999_980_000, 5), moment(1_000_000_000, 9)];
    // Without lag, but the other instance has not reported these ten seconds yet.
    a.history.insert(2, moment(999_990_000, 0));
    b.history = vec![moment(999_980_000, 7), moment(100, 1)];
    b.freshness.delay_since_kafka_timestamp =
        DelayHistogramReport { last_minute_p99_ms: Some(9.0), ..DelayHistogramReport::default() };
    let job = JobReport { assembled_at_ms: now_ms, instances: vec![a, b], ..JobReport::default() };
    let history = job.build_job_history();
    assert_eq!((history.from_ms, history.step_ms), (999_970_000, 10_000));
    assert_eq!(history.records_per_s, [Some(10.0), Some(20.0)]);
    assert_eq!(history.lag, [Some(0), Some(12)]);
    assert_eq!(history.last_moment_without_lag_ms(), Some(999_980_000));
    let append = job.largest_freshness_quantiles(|freshness| &freshness.delay_since_kafka_timestamp);
    assert_eq!((append.p50_ms, append.p99_ms), (None, Some(9.0)));
}

/// Scripts store it.
#[test]
fn the_job_id_never_changes() {
    let id = windrow_web::compute_job_id("ecommerce", "feature-engineering-group");
    assert_eq!(id, "dcc399e3ac83bbd3aa5ad4c510e32eb0");
    assert_ne!(id, windrow_web::compute_job_id("ecommercef", "eature-engineering-group"));
}
