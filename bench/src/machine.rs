//! What a figure must be read beside: the processor, and the time that others took from it.

use std::fs;

/// The processor, its cores and the instruction sets that matter to ONNX Runtime.
pub(crate) fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    };
    let sets = ["avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8"];
    let flags: Vec<&str> = field("flags").split(' ').filter(|flag| sets.contains(flag)).collect();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores, {}", field("model name"), flags.join(" "))
}

/// Processor time of the whole machine, in ticks.
pub(crate) struct Steal {
    stolen: u64,
    all: u64,
}

impl Steal {
    pub(crate) fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let ticks: Vec<u64> =
            stat.lines().next().unwrap_or_default().split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // man proc_stat: user nice system idle iowait irq softirq steal, then guest times that user includes
        Self { stolen: ticks.get(7).copied().unwrap_or(0), all: ticks.iter().take(8).sum() }
    }

    /// Share of all processor time that other machines took since then.
    pub(crate) fn percent_since(&self) -> f64 {
        let now = Self::now();
        100.0 * (now.stolen - self.stolen) as f64 / (now.all - self.all).max(1) as f64
    }
}

/// Resident memory of a process now and at its peak.
pub(crate) fn resident(process: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let megabytes = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024 / 1_000_000)
    };
    match (megabytes("VmRSS:"), megabytes("VmHWM:")) {
        (Some(now), Some(peak)) => format!("{now} MB, peak {peak} MB"),
        _ => "unknown".into(),
    }
}
