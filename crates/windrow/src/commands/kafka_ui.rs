//! `windrow kafka-ui`: the topics of a cluster in the browser, beside any job and without one.

use std::thread;
use std::time::Duration;

use tracing::info;
use windrow_engine::Stop;
use windrow_web::guard::{Protection, protect};
use windrow_web::kafka;
use windrow_web::server::{Listen, Server, bind};

use crate::cli::KafkaUiArgs;
use crate::exit::{Exit, Failure};
use crate::{pipeline_file, print, signals, web};

const LOOK_UP_EVERY: Duration = Duration::from_millis(100);

pub(crate) fn run(args: &KafkaUiArgs) -> Result<Exit, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, format!("error: {message}"));
    let Listen::At(address) = args.listen else {
        return Err(usage("a Kafka UI that listens nowhere shows nothing: --listen takes an address".to_owned()));
    };
    let brokers = match &args.brokers {
        Some(brokers) => brokers.clone(),
        None => {
            let pipeline = &args.pipeline;
            pipeline_file::load(pipeline.pipeline.as_deref(), &pipeline.set.overrides)?.source.brokers
        }
    };
    let token = web::token(args.token_file.as_deref())?;
    // Whether it is needed does not depend on the port, so that is said before one is taken.
    if token.is_none() {
        Protection::new(address, None).map_err(|needed| usage(needed.to_string()))?;
    }
    let stop = Stop::default();
    signals::handle(&stop)?;
    let listener = bind(address).map_err(|fault| usage(fault.to_string()))?;
    let address = listener.local_addr().map_err(|error| usage(error.to_string()))?;
    let protection = Protection::new(address, token).map_err(|needed| usage(needed.to_string()))?;
    let server = Server::start(listener, protect(kafka::router(&brokers), &protection))
        .map_err(|error| Failure::new(Exit::Internal, format!("error: cannot start the web server: {error}")))?;
    info!(brokers, %address, "Kafka UI");
    print::note(&format!("Kafka UI of {brokers}: http://{address}"));
    while !stop.requested() {
        thread::sleep(LOOK_UP_EVERY);
    }
    server.end();
    Ok(Exit::Success)
}
