
mod logs;
mod net;
mod support;
mod tls;
mod limits;
mod model;
mod shards;
mod wire;
