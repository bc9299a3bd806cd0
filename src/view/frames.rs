//! Frames by the name people find them under: the number, and the file when there are several.

use super::digits::append_number;
use super::visible::shown;
use crate::frame::FrameId;

/// The inputs of the run by [`FileId`](crate::frame::FileId), as they are to be named.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a>(pub &'a [String]);

impl<'a> Files<'a> {
    /// Name of the file of `frame`; empty when it is not known.
    pub fn file(self, frame: FrameId) -> &'a str {
        self.0.get(usize::from(frame.file().0)).map_or("", String::as_str)
    }

    /// `12`, or `a.pcap:12` when there are several files.
    pub fn frame(self, frame: FrameId) -> String {
        let mut name = Vec::new();
        self.append_frame(frame, &mut name);
        String::from_utf8(name).unwrap_or_default()
    }

    /// The same, appended to `out`.
    pub(super) fn append_frame(self, frame: FrameId, out: &mut Vec<u8>) {
        if !matches!(self.0, [] | [_]) {
            out.extend_from_slice(shown(base(self.file(frame))).as_bytes());
            out.push(b':');
        }
        append_number(frame.number(), out);
    }
}

/// The last part of a path.
pub(super) fn base(path: &str) -> &[u8] {
    path.rsplit('/').next().unwrap_or(path).as_bytes()
}
