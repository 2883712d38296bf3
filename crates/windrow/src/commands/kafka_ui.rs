//! `windrow kafka-ui`: the topics of a cluster in the browser, beside any job and without one.

use std::path::Path;
use std::thread;
use std::time::Duration;

use tracing::info;
use windrow_engine::Stop;
use windrow_web::guard::{Protection, Token, protect};
use windrow_web::kafka;
use windrow_web::server::{Listen, Server, bind};

use crate::cli::KafkaUiArgs;
use crate::exit::{Exit, Failure};
use crate::{pipeline_file, print, signals};

const LOOK_UP_EVERY: Duration = Duration::from_millis(100);
const TOKEN_VARIABLE: &str = "WINDROW_TOKEN";

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
    let token = token(args.token_file.as_deref())?;
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

/// The token in the file at `path`, or in the environment, if there is one.
fn token(path: Option<&Path>) -> Result<Option<Token>, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, format!("error: {message}"));
    let (text, place) = match path {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| usage(format!("cannot read --token-file {}: {error}", path.display())))?;
            (text, format!("--token-file {}", path.display()))
        }
        None => match std::env::var(TOKEN_VARIABLE) {
            Ok(text) if !text.is_empty() => (text, TOKEN_VARIABLE.to_owned()),
            _ => return Ok(None),
        },
    };
    Token::new(&text).map(Some).map_err(|fault| usage(format!("{place}: {fault}")))
}
