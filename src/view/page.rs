//! Pages of rules: their sections, and single sentences of them.

use crate::rules::Rule;

/// The text below the heading `## name`, up to the next heading; the first of `names` that there is.
pub fn section<'a>(page: &'a str, names: &[&str]) -> Option<&'a str> {
    names.iter().find_map(|name| {
        let (_, rest) = page.split_once(&format!("\n## {name}\n"))?;
        let text = rest.split_once("\n## ").map_or(rest, |(text, _)| text).trim();
        Some(text).filter(|text| !text.is_empty())
    })
}

/// Why the breach matters, in one paragraph.
pub fn why(rule: &Rule) -> Option<String> {
    section(rule.page, &["Why it matters"]).map(paragraph)
}

/// What to do about it, in one paragraph.
pub fn remedy(rule: &Rule) -> Option<String> {
    section(rule.page, &["What to do", "Remedy", "Fix"]).map(paragraph)
}

/// The first paragraph on one line.
fn paragraph(text: &str) -> String {
    let first = text.split("\n\n").next().unwrap_or(text);
    first.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_end_at_the_next_heading() {
        let page = "# a (M001)\n\nOne.\n\n## Why it matters\n\nIt\ndoes.\n\nMore.\n\n## See\n\nx\n";
        assert_eq!(section(page, &["Fix", "See"]), Some("x"));
        assert_eq!(section(page, &["Why it matters"]).map(paragraph).as_deref(), Some("It does."));
        assert_eq!(section(page, &["Fix"]), None);
    }
}
