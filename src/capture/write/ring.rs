//! A ring of files: how many, how large, how long, and what they are called.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::time::{SECOND, Timestamp};

/// Files of a ring at most: their names are remembered.
const FILES_MAX: usize = 100_000;
const DAY: i64 = 86_400;

/// When a file of a ring is full, and how many are kept.
///
/// As text: `10x100MB` (ten files of 100 MB), `24x1h` (24 files of an hour), `10x100MB,1h`
/// (whichever comes first).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Files kept; the oldest goes when there is one more.
    pub files: usize,
    /// Octets of one file at most.
    pub size: Option<u64>,
    /// Nanoseconds of packets in one file at most.
    pub span: Option<i64>,
}

impl FromStr for Ring {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!(
                "{what}; expected FILESxSIZE, FILESxTIME or FILESxSIZE,TIME: 10x100MB, 24x1h, \
                 10x100MB,1h"
            )
        };
        let (files, bounds) = text.split_once('x').ok_or_else(|| wrong("no x between the two"))?;
        let files = files.parse().ok().filter(|files| (1..=FILES_MAX).contains(files));
        let files = files.ok_or_else(|| wrong("the number of files is from 1 to 100000"))?;
        let mut ring = Self { files, size: None, span: None };
        for bound in bounds.split(',') {
            match (size_of(bound), span_of(bound)) {
                (Some(size), _) if ring.size.is_none() => ring.size = Some(size),
                (_, Some(span)) if ring.span.is_none() => ring.span = Some(span),
                (None, None) => {
                    return Err(wrong(&format!(
                        "{bound:?} is neither a size (KB, MB, GB) nor a time (s, min, h, d)"
                    )));
                }
                _ => return Err(wrong("one size and one time at most")),
            }
        }
        Ok(ring)
    }
}

/// Octets, in powers of 1024 as everywhere on the command line. `m` alone might be minutes.
fn size_of(text: &str) -> Option<u64> {
    quantity(text, |unit| {
        Some(match unit {
            "K" | "k" | "KB" | "kB" | "kb" | "KiB" => 1 << 10,
            "M" | "MB" | "mb" | "MiB" => 1 << 20,
            "G" | "g" | "GB" | "gb" | "GiB" => 1 << 30,
            _ => return None,
        })
    })
}

/// Nanoseconds.
fn span_of(text: &str) -> Option<i64> {
    let seconds = quantity(text, |unit| {
        Some(match unit {
            "s" => 1,
            "min" => 60,
            "h" => 3_600,
            "d" => DAY.unsigned_abs(),
            _ => return None,
        })
    })?;
    i64::try_from(seconds).ok()?.checked_mul(SECOND)
}

/// A number above 0 and its unit.
fn quantity(text: &str, unit: impl FnOnce(&str) -> Option<u64>) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, name) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok().filter(|number| 0 < *number)?;
    number.checked_mul(unit(name)?)
}

/// The name of file `number` (from 1) of the ring `path` that begins at `first`, as dumpcap names
/// it: `call_00001_20261121205500.pcapng`, in UTC.
pub(super) fn name(path: &Path, number: u64, first: Timestamp) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    // Writing to a string cannot fail.
    let _ = write!(name, "_{number:05}_{}", moment(first));
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

/// Year to second in digits, UTC.
fn moment(time: Timestamp) -> String {
    let seconds = time.0.div_euclid(SECOND);
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// Year, month and day of a day counted from the epoch, in the Gregorian calendar.
fn date(days: i64) -> (i64, i64, i64) {
    /// Days of 400 years, after which the calendar repeats.
    const CYCLE: i64 = 146_097;
    // Counted from the first of March of the year 0, so that a leap day ends its year.
    let days = days + 719_468;
    let (cycle, day) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
    let year = (day - day / 1_460 + day / 36_524 - day / (CYCLE - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * cycle + year + later, month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_ring_is_bounded_by_size_or_time_or_both() {
        let ring = |text: &str| text.parse::<Ring>();
        let files = |files, size, span| Ok(Ring { files, size, span });
        assert_eq!(ring("10x100MB"), files(10, Some(100 << 20), None));
        assert_eq!(ring("24x1h"), files(24, None, Some(3_600 * SECOND)));
        assert_eq!(ring("2x1MiB,30s"), files(2, Some(1 << 20), Some(30 * SECOND)));
        assert_eq!(ring("2x5min,1K"), files(2, Some(1 << 10), Some(300 * SECOND)));
        for wrong in [
            "", "10", "0x1h", "x1h", "10x", "10x1", "10x0s", "10x1h,2h", "10x1y", "10x-1h", "10x1m",
        ] {
            assert!(ring(wrong).unwrap_err().contains("10x100MB,1h"), "{wrong}");
        }
        assert!(ring("10x99999999999999999999GB").is_err());
        assert!(ring("10x999999999999GB,1h").is_err());
        assert!(ring("1x9999999999999d").is_err());
    }

    #[test]
    fn files_are_named_as_dumpcap_names_them() {
        let first = Timestamp::new(1_795_294_500, 999_999_999);
        let of = |path: &str| name(Path::new(path), 1, first).display().to_string();
        assert_eq!(of("/tmp/call.pcapng"), "/tmp/call_00001_20261121205500.pcapng");
        assert_eq!(of("call"), "call_00001_20261121205500");
        assert_eq!(
            name(Path::new("a.b.c"), 123_456, first).to_str(),
            Some("a.b_123456_20261121205500.c")
        );
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let on = |seconds| moment(Timestamp::new(seconds, 0));
        assert_eq!(on(0), "19700101000000");
        assert_eq!(on(-1), "19691231235959");
        assert_eq!(on(951_782_399), "20000228235959");
        assert_eq!(on(951_782_400), "20000229000000");
        assert_eq!(on(951_868_800), "20000301000000");
        assert_eq!(on(4_107_542_399), "21000228235959");
        assert_eq!(on(4_107_542_400), "21000301000000");
    }
}
