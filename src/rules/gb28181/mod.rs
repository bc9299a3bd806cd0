//! What GB/T 28181 asks of cameras, recorders and platforms (G).

pub(super) mod gb_device_id_invalid;
pub(super) mod gb_register_identity;
pub(super) mod gb_register_expires_short;
pub(super) mod gb_keepalive_interval;
pub(super) mod gb_keepalive_lost;
pub(super) mod gb_keepalive_unregistered;
pub(super) mod gb_date_header;
pub(super) mod gb_keepalive_absent;
pub(super) mod gb_keepalive_moved;
pub(super) mod gb_register_redirected;
