//! What options of other tools are called here, for fingers that know those.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Options that no command takes where they were given, and what to do instead.
const TIPS: &[(&str, &str)] = &[
    ("-C", "tcpdump's -C and -W are one option here: --ring 10x100MB"),
    ("-W", "tcpdump's -C and -W are one option here: --ring 10x100MB"),
    ("-G", "tcpdump's -G is --ring here: --ring 24x1h"),
    ("-b", "dumpcap's -b is --ring here: --ring 10x100MB,1h"),
    ("-X", "the text of messages is -v here"),
    ("-x", "the text of messages is -v here"),
    ("-t", "times are shown anyway, in your zone or with --utc in UTC"),
    ("-r", "live watches what happens; files: siplens messages -r FILE, siplens list FILE"),
    ("-Y", "tshark's -Y is -f here: -f 'method == INVITE'"),
    ("-d", "sngrep's -d is -i here"),
    ("-I", "files need no option: siplens list FILE"),
    ("-O", "sngrep's -O is -w here"),
    ("-k", "sngrep's -k is --keylog here, with a file of TLS secrets (SSLKEYLOGFILE)"),
];

/// Adds to a mistake what may have been meant by it.
pub(super) fn advise(error: &mut clap::Error) {
    if error.kind() != ErrorKind::UnknownArgument {
        return;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else { return };
    if let Some((_, tip)) = TIPS.iter().find(|(option, _)| option == given) {
        let tip = vec![(*tip).to_owned().into()];
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tip));
    }
}
