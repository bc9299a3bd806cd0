//! CSV after RFC 4180.
