
mod logs;
mod net;
mod support;
mod tls;
