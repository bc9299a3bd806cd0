//! Ctrl-C and SIGTERM: the first ends a run at leisure, a later one at once.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{SigId, flag};

use super::INTERRUPTED;

/// What there is to say when the system has no means left for that.
#[cfg(unix)]
const DEAF: &str = "cannot hear signals";

/// What happens on Ctrl-C and SIGTERM.
pub(crate) struct Interrupts {
    /// Set by the first one.
    pub(crate) flag: Arc<AtomicBool>,
    /// What ends the process at the second one until somebody listens.
    #[cfg_attr(not(unix), allow(dead_code))] // There is nobody who could.
    abrupt: Vec<SigId>,
    #[cfg(unix)]
    signals: signal_hook::iterator::Signals,
}

impl Interrupts {
    /// Begins to hear them, and the signals `beside`; until somebody [listens](Self::listen) a second
    /// one ends the process at once.
    ///
    /// # Errors
    /// When the system has no more file descriptors.
    pub(crate) fn new(beside: &[i32]) -> anyhow::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        let mut abrupt = Vec::new();
        // Without a handler Ctrl-C ends the process, as for any program.
        for signal in [SIGINT, SIGTERM] {
            let ended = INTERRUPTED.into();
            abrupt.extend(flag::register_conditional_shutdown(signal, ended, Arc::clone(&flag)));
            let _ = flag::register(signal, Arc::clone(&flag));
        }
        #[cfg(not(unix))]
        let _ = beside;
        #[cfg(unix)]
        let all = [&[SIGINT, SIGTERM], beside].concat();
        Ok(Self {
            flag,
            abrupt,
            #[cfg(unix)]
            signals: signal_hook::iterator::Signals::new(all).context(DEAF)?,
        })
    }

    /// Obeys from here on, on a thread of its own: `last` is given what ends or stops the process, to
    /// do it when all is ready for that.
    ///
    /// # Errors
    /// When the system allows no more threads.
    #[cfg(unix)]
    pub(crate) fn listen(
        self,
        last: impl Fn(&dyn Fn()) + Send + 'static,
    ) -> anyhow::Result<Arc<AtomicBool>> {
        let Self { flag, abrupt, mut signals } = self;
        let mut wish = Wish::default();
        let obey = move |signal| match signal {
            SIGINT | SIGTERM if wish.is_echo() => {}
            SIGINT | SIGTERM => last(&|| signal_hook::low_level::exit(INTERRUPTED.into())),
            // What the signal does to any program; refused, it does nothing.
            _ => last(&|| drop(signal_hook::low_level::emulate_default_handler(signal))),
        };
        let hear = move || signals.forever().for_each(obey);
        std::thread::Builder::new().name("signals".to_owned()).spawn(hear).context(DEAF)?;
        for id in abrupt {
            signal_hook::low_level::unregister(id);
        }
        Ok(flag)
    }

    /// Here nothing can be done before a second one ends the process.
    #[cfg(not(unix))]
    #[allow(clippy::unnecessary_wraps)] // Elsewhere it may fail.
    pub(crate) fn listen(
        self,
        _: impl Fn(&dyn Fn()) + Send + 'static,
    ) -> anyhow::Result<Arc<AtomicBool>> {
        Ok(self.flag)
    }
}

/// That a run should end, said once or again.
#[cfg(unix)]
#[derive(Default)]
struct Wish(Option<std::time::Instant>);

#[cfg(unix)]
impl Wish {
    /// Whether it is said for the first time, or so soon again that it is the same: `timeout` tells
    /// the process, then the group that it belongs to.
    #[allow(clippy::disallowed_methods)] // The user's time, not the capture's.
    fn is_echo(&mut self) -> bool {
        const ECHO: std::time::Duration = std::time::Duration::from_millis(500);
        let now = std::time::Instant::now();
        now.duration_since(*self.0.get_or_insert(now)) < ECHO
    }
}
