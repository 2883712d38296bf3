//! Metrics of the resources that the process uses, with the names that Prometheus' client libraries use. These metrics
//! exist only on Linux.

use super::families::MetricFamilies;

#[cfg(target_os = "linux")]
pub(super) fn add_process_metrics(families: &mut MetricFamilies) {
    // If the process cannot read a value in /proc, for example because access is restricted, some of these metrics are
    // left out. The other metrics of the instance remain available.
    if let Ok(process) = procfs::process::Process::myself() {
        let _ = linux::add_cpu_and_memory_metrics(families, &process);
        let _ = linux::add_file_descriptor_metrics(families, &process);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn add_process_metrics(_: &mut MetricFamilies) {}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::process::{LimitValue, Process};
    use procfs::{ProcResult, boot_time_secs, page_size, ticks_per_second};

    use super::super::families::{MetricFamilies, count_as_f64};

    pub(super) fn add_cpu_and_memory_metrics(families: &mut MetricFamilies, process: &Process) -> ProcResult<()> {
        let stat = process.stat()?;
        let ticks = count_as_f64(ticks_per_second());
        families.add_counter(
            "process_cpu_seconds_total",
            "CPU time of all threads, user and system.",
            [(count_as_f64(stat.utime + stat.stime) / ticks).into()],
        );
        families.add_gauge(
            "process_resident_memory_bytes",
            "Resident memory in bytes.",
            [(stat.rss * page_size()).into()],
        );
        families.add_gauge("process_virtual_memory_bytes", "Virtual memory in bytes.", [stat.vsize.into()]);
        families.add_gauge("process_threads", "Threads.", [stat.num_threads.into()]);
        families.add_gauge(
            "process_start_time_seconds",
            "When the process started, as Unix time.",
            [(count_as_f64(boot_time_secs()?) + count_as_f64(stat.starttime) / ticks).into()],
        );
        Ok(())
    }

    pub(super) fn add_file_descriptor_metrics(families: &mut MetricFamilies, process: &Process) -> ProcResult<()> {
        families.add_gauge("process_open_fds", "Open file descriptors.", [process.fd_count()?.into()]);
        if let LimitValue::Value(limit) = process.limits()?.max_open_files.soft_limit {
            families.add_gauge("process_max_fds", "File descriptors that may be open.", [limit.into()]);
        }
        Ok(())
    }
}
