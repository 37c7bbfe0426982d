//! What the system knows of this process, under the names that Prometheus' own clients give it.

use opentelemetry::metrics::Meter;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// Registers what is read whenever somebody looks. What cannot be read is not there.
pub(super) fn watch(meter: &Meter) {
    let gauge = |name, unit, what, read: fn() -> Option<u64>| {
        let gauge = meter.u64_observable_gauge(name).with_unit(unit).with_description(what);
        gauge
            .with_callback(move |seen| read().into_iter().for_each(|value| seen.observe(value, &[])))
            .build();
    };
    gauge("process.resident_memory", "By", "Resident memory.", resident);
    gauge("process.open_fds", "", "Open file descriptors.", open_files);
    gauge("process.max_fds", "", "Most file descriptors that may be open.", || {
        getrlimit(Resource::Nofile).current
    });
    meter
        .f64_observable_counter("process.cpu")
        .with_unit("s")
        .with_description("Time on the processor, in the program and in the system.")
        .with_callback(|seen| cpu().into_iter().for_each(|value| seen.observe(value, &[])))
        .build();
    let started = started();
    meter
        .f64_observable_gauge("process.start_time")
        .with_unit("s")
        .with_description("When the process was started, since the epoch.")
        .with_callback(move |seen| started.into_iter().for_each(|value| seen.observe(value, &[])))
        .build();
}

fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(text.split_whitespace().nth(1)?.parse::<u64>().ok()? * page_size() as u64)
}

fn open_files() -> Option<u64> {
    // One of them is the directory that is being read.
    Some((std::fs::read_dir("/proc/self/fd").ok()?.count() as u64).saturating_sub(1))
}

fn cpu() -> Option<f64> {
    Some((stat(14)? + stat(15)?) as f64 / clock_ticks_per_second() as f64)
}

fn started() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let boot = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse::<u64>().ok()?;
    Some(boot as f64 + stat(22)? as f64 / clock_ticks_per_second() as f64)
}

/// A field of `/proc/self/stat`, counted as proc(5) counts. The second is the program's name, in which there may be anything.
fn stat(field: usize) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(field.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn the_system_knows_this_process() {
        assert!(resident().unwrap() > 1 << 20);
        let before = open_files().unwrap();
        // Other tests open and close some meanwhile.
        let more: Vec<_> = (0..100).map(|_| std::fs::File::open("/proc/self/stat").unwrap()).collect();
        assert!(open_files().unwrap() >= before + 50);
        drop(more);
        let before = cpu().unwrap();
        let began = std::time::Instant::now();
        while cpu().unwrap() < before + 0.02 {
            assert!(began.elapsed().as_secs() < 60, "no time has passed on any processor");
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        // The boot's time is told in whole seconds.
        assert!((-2.0..86_400.0).contains(&(now - started().unwrap())));
    }
}
