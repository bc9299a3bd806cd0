//! Status codes and their classes (section 7.2).

/// A status code, 100 to 699 when the message is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Status(pub u16);

impl Status {
    /// 1xx.
    pub const fn is_provisional(self) -> bool {
        self.0 / 100 == 1
    }

    /// 2xx.
    pub const fn is_success(self) -> bool {
        self.0 / 100 == 2
    }

    /// 2xx to 6xx.
    pub const fn is_final(self) -> bool {
        self.0 >= 200
    }

    /// 401 or 407.
    pub const fn is_challenge(self) -> bool {
        matches!(self.0, 401 | 407)
    }
}
