//! What the process uses, under the names that Prometheus' own client libraries have for it. Only Linux tells.

use super::families::Families;

#[cfg(target_os = "linux")]
pub(super) fn add(families: &mut Families) {
    // What cannot be read is left out: a restricted /proc is no reason to be without the other metrics.
    if let Ok(process) = procfs::process::Process::myself() {
        let _ = linux::times_and_memory(families, &process);
        let _ = linux::files(families, &process);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn add(_: &mut Families) {}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::process::{LimitValue, Process};
    use procfs::{ProcResult, boot_time_secs, page_size, ticks_per_second};

    use super::super::families::{Families, count};

    pub(super) fn times_and_memory(families: &mut Families, process: &Process) -> ProcResult<()> {
        let stat = process.stat()?;
        let ticks = count(ticks_per_second());
        families.counter(
            "process_cpu_seconds_total",
            "CPU time of all threads, user and system.",
            [(count(stat.utime + stat.stime) / ticks).into()],
        );
        families.gauge(
            "process_resident_memory_bytes",
            "Resident memory in bytes.",
            [count(stat.rss * page_size()).into()],
        );
        families.gauge("process_virtual_memory_bytes", "Virtual memory in bytes.", [count(stat.vsize).into()]);
        families.gauge("process_threads", "Threads.", [(stat.num_threads as f64).into()]);
        families.gauge(
            "process_start_time_seconds",
            "When the process started, as Unix time.",
            [(count(boot_time_secs()?) + count(stat.starttime) / ticks).into()],
        );
        Ok(())
    }

    pub(super) fn files(families: &mut Families, process: &Process) -> ProcResult<()> {
        families.gauge("process_open_fds", "Open file descriptors.", [(process.fd_count()? as f64).into()]);
        if let LimitValue::Value(limit) = process.limits()?.max_open_files.soft_limit {
            families.gauge("process_max_fds", "File descriptors that may be open.", [count(limit).into()]);
        }
        Ok(())
    }
}
