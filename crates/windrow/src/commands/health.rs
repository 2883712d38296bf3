//! `windrow health`: asks a running job whether it is healthy. Containers use it as their health check.

use std::error::Error;

use windrow_web::health_probe::{HealthAnswer, HealthCheck, probe_health};

use crate::cli::HealthArgs;
use crate::exit::{CommandFailure, ExitStatus};
use crate::print;

pub(crate) fn run(args: &HealthArgs) -> Result<ExitStatus, CommandFailure> {
    let check = if args.check_readiness { HealthCheck::Readiness } else { HealthCheck::Progress };
    match probe_health(args.address, check, args.timeout) {
        Ok(HealthAnswer::Healthy) => {
            print::write_stdout("ok\n")?;
            Ok(ExitStatus::Success)
        }
        Ok(HealthAnswer::Unhealthy(problems)) => {
            Err(CommandFailure::new(ExitStatus::Unhealthy, format!("unhealthy: {}", problems.join("; "))))
        }
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            let message = format!("error: the job's web server at {}: {error}{cause}", args.address);
            Err(CommandFailure::new(ExitStatus::NotReachable, message))
        }
    }
}
