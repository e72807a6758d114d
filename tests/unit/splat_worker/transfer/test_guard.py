"""IP addresses that a worker must not connect to, and some that it may."""

from __future__ import annotations

import pytest

from splat_worker.transfer.guard import Refused, check_address

PRIVATE = [
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1",
    "fd00:ec2::254", "ff02::1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::",
    "2001:db8::1", "::10.0.0.1", "::127.0.0.1", "fec0::1", "::ffff:0:10.0.0.1", "64:ff9b:1::a00:1", "3fff::1",
    "5f00::1", "4000::1", "192.0.0.9", "192.88.99.1", "2001:0:a00:1::1", "64:ff9b::a9fe:a9fe",
    # Services of a cloud: Azure (also mapped, behind NAT64, in 6to4), IBM, Equinix, Alibaba, Oracle, Tencent, GCP, AWS.
    "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "2002:a83f:8110::", "161.26.0.10", "166.8.1.1",
    "192.80.8.124", "100.100.100.200", "192.0.0.192", "169.254.0.23", "fd20:ce::254", "fd00:ec2::23",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused(address: str) -> None:
    with pytest.raises(Refused):
        check_address(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "104.16.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"])
def test_public_addresses_are_allowed(address: str) -> None:
    check_address(address)
