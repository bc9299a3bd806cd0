
mod logs;
mod tls;
