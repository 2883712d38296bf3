//! `windrow kafka-ui`: serves pages about a Kafka cluster, independent of any job.

use std::thread;
use std::time::Duration;

use tracing::{info, warn};
use windrow_engine::StopSignal;
use windrow_web::guard::{ServerProtection, protect};
use windrow_web::kafka;
use windrow_web::server::{HttpServer, ListenAddress, bind};

use crate::cli::KafkaUiArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::listen_failure::{describe_bind_fault, describe_missing_token};
use crate::{access_token, pipeline_file, print, signals};

const STOP_POLL_INTERVAL: Duration = Duration::from_millis(100);

pub(crate) fn run(args: &KafkaUiArgs) -> Result<ExitStatus, CommandFailure> {
    let usage = |message: String| CommandFailure::new(ExitStatus::Usage, format!("error: {message}"));
    let ListenAddress::At(address) = args.listen_address else {
        return Err(usage("the Kafka UI needs an address to listen on: --listen must not be off".to_owned()));
    };
    let brokers = match &args.brokers {
        Some(brokers) => brokers.clone(),
        None => {
            let pipeline = &args.pipeline_args;
            pipeline_file::load(pipeline.pipeline_path.as_deref(), &pipeline.override_args.overrides)?
                .source
                .kafka()
                .brokers
                .clone()
        }
    };
    let token = access_token::read_token(args.token_file.as_deref())?;
    // Only the address decides whether a token is required. So the command can report a missing token before it binds
    // the port.
    if token.is_none() {
        ServerProtection::new(address, None).map_err(|error| usage(describe_missing_token(&error)))?;
    }
    let stop = StopSignal::default();
    signals::start_signal_thread(&stop)?;
    let listener = bind(address).map_err(|fault| usage(describe_bind_fault(&fault)))?;
    let address = listener.local_addr().map_err(|error| usage(error.to_string()))?;
    let protection = ServerProtection::new(address, token)
        .map_err(|error| usage(describe_missing_token(&error)))?
        .with_tls_proxies(args.proxy_args.to_tls_proxies());
    if let Some(advice) = protection.host_name_advice() {
        warn!("{advice}");
    }
    let server = HttpServer::start(listener, protect(kafka::router(&brokers), &protection)).map_err(|error| {
        CommandFailure::new(ExitStatus::Internal, format!("error: cannot start the web server: {error}"))
    })?;
    info!(brokers, %address, "Kafka UI");
    print::write_stderr_line(&format!("Kafka UI of {brokers}: http://{address}"));
    while !stop.is_requested() {
        thread::sleep(STOP_POLL_INTERVAL);
    }
    server.shut_down();
    Ok(ExitStatus::Success)
}
