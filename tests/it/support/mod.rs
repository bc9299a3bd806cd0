//! What several tests share.

#![allow(dead_code)]

pub mod flow;
pub mod packet;
pub mod pcap;
