//! How much memory a server may use beside the facts of the present: as told, else a share of what there is.

use std::path::Path;

/// The share where nothing is told, as a divisor, and what is taken where it cannot be known.
const SHARE: usize = 4;
const UNKNOWN: usize = 1 << 30;
/// Less than this answers no question.
pub const LEAST: usize = 64;

/// In bytes, from megabytes.
pub fn budget(told: Option<usize>) -> Result<usize, String> {
    match told {
        Some(mb) if mb < LEAST => Err(format!("--memory: {mb} MB are too few; give at least {LEAST}")),
        Some(mb) => Ok(mb.saturating_mul(1 << 20)),
        None => Ok(machine(Path::new("/")).map_or(UNKNOWN, |bytes| (bytes / SHARE).max(LEAST << 20))),
    }
}

/// The memory of the machine, or of the container where that is less.
fn machine(root: &Path) -> Option<usize> {
    let read = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let number = |text: String| text.split_whitespace().next()?.parse::<usize>().ok();
    let whole = read("proc/meminfo").and_then(|text| number(text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?.to_string())).map(|kb| kb.saturating_mul(1024));
    let limits = ["sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"].map(|path| read(path).and_then(number));
    limits.into_iter().flatten().chain(whole).min()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_container_s_limit_counts_where_it_is_less() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).and_then(|()| std::fs::write(path, text)).expect("a file");
        };
        assert_eq!(super::machine(root.path()), None);
        write("proc/meminfo", "MemTotal:       8000000 kB\nMemFree: 1 kB\n");
        write("sys/fs/cgroup/memory.max", "max\n");
        assert_eq!(super::machine(root.path()), Some(8_192_000_000));
        write("sys/fs/cgroup/memory.max", "1073741824\n");
        assert_eq!(super::machine(root.path()), Some(1 << 30));
        assert!(super::budget(Some(1)).is_err());
        assert_eq!(super::budget(Some(100)), Ok(100 << 20));
    }
}
