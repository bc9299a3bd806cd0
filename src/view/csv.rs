//! CSV after RFC 4180: CRLF, quotes where needed, values unchanged.

use std::io::{self, Write};

/// Writes one row.
pub fn row<'a>(cells: impl Iterator<Item = &'a [u8]>, out: &mut dyn Write) -> io::Result<()> {
    let mut line = Vec::with_capacity(256);
    for (index, cell) in cells.enumerate() {
        if index != 0 {
            line.push(b',');
        }
        append(cell, &mut line);
    }
    line.extend_from_slice(b"\r\n");
    out.write_all(&line)
}

/// Appends one cell: in quotes when it holds a comma, a quote or a line end.
pub fn append(cell: &[u8], line: &mut Vec<u8>) {
    if !cell.iter().any(|byte| matches!(byte, b',' | b'"' | b'\r' | b'\n')) {
        line.extend_from_slice(cell);
        return;
    }
    line.push(b'"');
    for byte in cell {
        if *byte == b'"' {
            line.push(b'"');
        }
        line.push(*byte);
    }
    line.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_rfc_4180_says() {
        let mut out = Vec::new();
        let cells: [&[u8]; 4] = [b"a", b"b,c", b"d\"e", b""];
        assert!(row(cells.into_iter(), &mut out).is_ok());
        assert_eq!(out, b"a,\"b,c\",\"d\"\"e\",\r\n");
    }
}
