//! Numbers for people.

/// A number of bytes with three significant digits and a binary unit: `1.50 GiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    // 1023.5 and more would be shown as 1024.
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// Seconds with the precision worth reading: `0.42 s`, `12.3 s`, `3 min 12 s`, `2 h 5 min`.
pub fn seconds(count: f64) -> String {
    if count < 10.0 {
        format!("{count:.2} s")
    } else if count < 99.5 {
        format!("{count:.1} s")
    } else {
        let whole = std::time::Duration::from_secs_f64(count.clamp(0.0, 1e12)).as_secs();
        match (whole / 3600, whole / 60 % 60, whole % 60) {
            (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
            (hours, minutes, _) => format!("{hours} h {minutes} min"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_enough() {
        let shown = [0, 1023, 1024, 1536, 10 << 10, 1_048_064, 1 << 20, 1_610_612_736, u64::MAX].map(bytes);
        assert_eq!(
            shown,
            ["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "10.0 KiB", "1.00 MiB", "1.00 MiB", "1.50 GiB", "16.0 EiB"]
        );
        assert_eq!([0.4242, 12.34, 192.0, 7500.0].map(seconds), ["0.42 s", "12.3 s", "3 min 12 s", "2 h 5 min"]);
    }
}
