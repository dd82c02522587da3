"""Tests access through a reverse proxy that is trusted or not.

Covers host/api/guard.py.
"""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from host.api.guard import Guard
from host.config.access_rules import AccessRules
from tests.support.guarded_app import OPEN, PROXIED, TOKEN, ask, bearer, send_through


class TestProxy:
    @pytest.mark.parametrize("host", ["courtside.example", "courtside.example:443"])
    async def test_trusted_proxy_sets_the_host_name(self, host: str) -> None:
        status, body = await send_through(
            "POST",
            PROXIED,
            x_forwarded_host=host,
            x_forwarded_proto="https",
            origin=f"https://{host}",
            authorization=bearer(TOKEN),
        )

        assert (status, body) == (200, "in")

    async def test_trusted_proxy_can_set_only_allowed_names(self) -> None:
        status, _ = await send_through(
            "GET",
            PROXIED,
            x_forwarded_host="evil.example",
            authorization=bearer(TOKEN),
        )

        assert status == 400

    async def test_headers_of_an_untrusted_proxy_are_removed(self) -> None:
        seen: list[tuple[str, list[str]]] = []

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            names = [name.decode() for name, _ in scope["headers"]]
            seen.append((scope["scheme"], names))
            await PlainTextResponse("in")(scope, receive, send)

        await ask(
            Guard("127.0.0.1", 8000, OPEN),
            app=app,
            x_forwarded_host="evil.example",
            x_forwarded_proto="https",
            x_forwarded_prefix="/evil",
            x_forwarded_for="192.0.2.7",
        )

        [(scheme, names)] = seen
        assert scheme == "http"
        assert not [name for name in names if name.startswith("x-forwarded")]

    async def test_trusted_proxy_does_not_allow_addresses_as_host(self) -> None:
        """Addresses are accepted only if `host` is not loopback (docs/security.md)."""
        guard = Guard("127.0.0.1", 8000, PROXIED)

        answer = await ask(guard, host="192.0.2.1", authorization=bearer(TOKEN))

        assert answer.status_code == 400

    async def test_rate_limit_applies_to_the_client_behind_the_proxy(self) -> None:
        guard = Guard("127.0.0.1", 8000, PROXIED)

        async def guess(token: str, client: str) -> int:
            answer = await ask(
                guard,
                authorization=bearer(token),
                x_forwarded_for=f"203.0.113.9, {client}, 127.0.0.1",
            )
            return answer.status_code

        for _ in range(10):
            await guess("wrong", "192.0.2.1")

        assert await guess(TOKEN, "192.0.2.1") == 429
        assert await guess(TOKEN, "192.0.2.2") == 200

    async def test_long_chain_of_forged_clients_ends_at_the_first_unknown_one(
        self,
    ) -> None:
        """Only the last entries come from proxies. The others may be thousands."""
        checked: list[str] = []

        class Rules(AccessRules):
            def trusts(self, address: str) -> bool:
                checked.append(address)
                return super().trusts(address)

        rules = Rules(token=TOKEN, trusted_proxies=PROXIED.trusted_proxies)
        chain = ", ".join(["198.51.100.7"] * 5_000 + ["203.0.113.9", "127.0.0.1"])

        await ask(Guard("127.0.0.1", 8000, rules), x_forwarded_for=chain)

        assert checked == ["127.0.0.1", "127.0.0.1", "203.0.113.9"]


class TestMappedAddress:
    """A host that listens on `::` sees IPv4 peers as ::ffff:192.0.2.1."""

    @pytest.mark.parametrize("proxy", ["192.0.2.0/24", "::ffff:192.0.2.1"])
    @pytest.mark.parametrize(
        "peer", ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "::FFFF:C000:0201"]
    )
    async def test_of_a_proxy_is_trusted(self, peer: str, proxy: str) -> None:
        rules = AccessRules(
            token=TOKEN,
            trusted_proxies=(ip_network(proxy),),
            allowed_hosts=("courtside.example",),
        )

        answer = await ask(
            Guard("::", 8000, rules),
            client=peer,
            x_forwarded_host="courtside.example",
            authorization=bearer(TOKEN),
        )

        assert answer.status_code == 200

    @pytest.mark.parametrize("peer", ["::ffff:192.0.2.2", "::192.0.2.1", "::1"])
    async def test_of_another_peer_is_not_trusted(self, peer: str) -> None:
        rules = AccessRules(token=TOKEN, trusted_proxies=(ip_network("192.0.2.1"),))

        assert not rules.trusts(peer)

    async def test_shares_the_rate_limit_of_the_address(self) -> None:
        guard = Guard("127.0.0.1", 8000, PROXIED)

        async def guess(token: str, client: str) -> int:
            answer = await ask(
                guard, authorization=bearer(token), x_forwarded_for=client
            )
            return answer.status_code

        for _ in range(10):
            await guess("wrong", "::ffff:192.0.2.1")

        assert await guess(TOKEN, "192.0.2.1") == 429
        assert await guess(TOKEN, "::ffff:c000:201") == 429
        assert await guess(TOKEN, "::ffff:192.0.2.2") == 200
