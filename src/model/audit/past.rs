//! How much of the past a watch keeps that goes on without end.

/// Stretches of lost packets that are remembered where the past is let go.
pub(super) const GAPS: usize = 1024;
/// Connections whose ends are awaited where the past is let go.
pub(super) const CONNECTIONS: usize = 1 << 18;

/// How much of the past of a device is kept.
#[derive(Clone, Copy, Debug)]
pub struct Past {
    /// Attempts at one registrar; up to twice as many are held.
    pub attempts: usize,
    /// Runs of keepalives that went alike.
    pub runs: usize,
}

impl Default for Past {
    fn default() -> Self {
        Self { attempts: 32, runs: 6 }
    }
}
