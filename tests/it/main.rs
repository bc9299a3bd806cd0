
mod tls;
