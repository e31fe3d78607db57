//! Times, as microseconds since 1970 in UTC.

use std::io::Write;

/// Microseconds in a second, a day.
pub(crate) const SECOND: i64 = 1_000_000;
pub(crate) const HOUR: i64 = 3600 * SECOND;
pub(crate) const DAY: i64 = 24 * HOUR;

/// The moment at which every sample server stands still: 2025-04-01T09:00:00Z.
pub(crate) const NOW: i64 = 1_743_498_000 * SECOND;

/// The moment at which its history begins, about three years before.
pub(crate) const BEGIN: i64 = NOW - 1100 * DAY;

/// Writes a time as PostgreSQL reads it: `2025-04-01 09:00:00.000000+00`.
pub(crate) fn write(out: &mut Vec<u8>, micros: i64) {
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    let (seconds, fraction) = (rest / SECOND, rest % SECOND);
    digits(out, year, 4);
    for (separator, value) in
        [(b'-', month), (b'-', day), (b' ', seconds / 3600), (b':', seconds / 60 % 60), (b':', seconds % 60)]
    {
        out.push(separator);
        digits(out, value, 2);
    }
    out.push(b'.');
    digits(out, fraction, 6);
    out.write_all(b"+00").expect("a Vec takes everything");
}

/// Year, month and day of a number of days since 1970-01-01: the proleptic Gregorian calendar, counted in 400-year eras
/// of years that begin in March.
pub(crate) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn digits(out: &mut Vec<u8>, mut value: i64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    for place in out[start..].iter_mut().rev() {
        *place = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_postgresql_reads_them() {
        let text = |micros| {
            let mut out = Vec::new();
            write(&mut out, micros);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(NOW), "2025-04-01 09:00:00.000000+00");
        assert_eq!(text(0), "1970-01-01 00:00:00.000000+00");
        assert_eq!(text(951_782_400 * SECOND + 7), "2000-02-29 00:00:00.000007+00");
        assert_eq!(text(-1), "1969-12-31 23:59:59.999999+00");
    }
}
