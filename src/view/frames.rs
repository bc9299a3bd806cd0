//! Frames by the name people find them under: the number, and the file when there are several.

use crate::frame::FrameId;

/// The inputs of the run by [`FileId`](crate::frame::FileId), as they are to be named.
#[derive(Clone, Copy, Debug, Default)]
pub struct Files<'a>(pub &'a [String]);

impl<'a> Files<'a> {
    /// Name of the file of `frame`; empty when it is not known.
    pub fn file(self, frame: FrameId) -> &'a str {
        self.0.get(usize::from(frame.file.0)).map_or("", String::as_str)
    }

    /// `12`, or `a.pcap:12` when there are several files.
    pub fn frame(self, frame: FrameId) -> String {
        match self.0 {
            [] | [_] => frame.number.to_string(),
            _ => format!("{}:{}", super::visible::visible(base(self.file(frame))), frame.number),
        }
    }
}

/// The last part of a path.
pub(super) fn base(path: &str) -> &[u8] {
    path.rsplit('/').next().unwrap_or(path).as_bytes()
}
