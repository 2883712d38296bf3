//! Invalid requests, which are answered without Kafka.

use crate::support::ui::KafkaUiServer;

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_in_a_question_has_its_sentence() {
    let ui = KafkaUiServer::start("127.0.0.1:1").await;
    for (query, reason) in [
        ("from=yesterday", "use newest, oldest, offset:N or time:EPOCH_MILLISECONDS"),
        ("from=offset:-1", "use newest"),
        ("from=time:soon", "use newest"),
        ("partition=-1", "use the number of a partition"),
        ("partition=x", "use the number of a partition"),
        ("limit=0", "use a number from 1 to 500"),
        ("limit=501", "use a number from 1 to 500"),
        ("limit=many", "use a number from 1 to 500"),
        ("bytes=65537", "use a number from 1 to 65536"),
        ("before=7", "use positions such as 0:120,1:77"),
        ("after=0:1,", "use positions such as 0:120,1:77"),
        ("before=0:1&after=0:1", "more than one of from, before and after"),
        ("timeout_ms=-1", "use a number of milliseconds"),
        ("form=newest", "`form` is not a parameter of this URL"),
    ] {
        let (status, said) = ui.get_error(&format!("/api/topics/t/messages?{query}")).await;
        assert!(status == 400 && said.contains(reason), "{query}: {status} {said}");
    }
    let long = "x".repeat(1_001);
    assert_eq!(ui.get_error(&format!("/api/topics/t/tail?contains={long}")).await.0, 400);
    assert_eq!(ui.get_error("/api/topics/t/tail?from=newest").await.0, 400);
    assert_eq!(ui.get_error("/api/topics/%FF").await.0, 400, "a name that is not text");
}
