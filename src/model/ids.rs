//! Names of what stands in the lists of a flow.

use std::fmt;
use std::num::NonZeroU32;

/// Declares names of things by their place in a list.
macro_rules! places {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        // One more than the place: to have none takes no room then.
        pub struct $name(NonZeroU32);

        impl $name {
            /// What stands at `place`, counted from 0.
            pub const fn at(place: u32) -> Self {
                Self(NonZeroU32::MIN.saturating_add(place))
            }

            /// Its place, counted from 0.
            pub const fn place(self) -> u32 {
                self.0.get() - 1
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::at(0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}({})", stringify!($name), self.place())
            }
        }
    )*};
}

places! {
    /// A message, by its place in [`CallFlow::messages`](super::CallFlow::messages).
    MessageId,
    /// A transaction, by its place in [`CallFlow::transactions`](super::CallFlow::transactions).
    TransactionId,
    /// A dialog, by its place in [`CallFlow::dialogs`](super::CallFlow::dialogs).
    DialogId,
}
