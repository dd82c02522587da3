"""The page's policy blocks inline scripts, eval, markup strings and other origins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.browser.screen import Screen
from tests.support.stack import Stack

if TYPE_CHECKING:
    from playwright.async_api import Page


@pytest.mark.console_errors(r"CSP: ", r"Content Security Policy", r"Trusted")
async def test_injected_scripts_do_not_run(new_stack: Stack, page: Page) -> None:
    await Screen(page).open(new_stack.url)

    ran = await page.evaluate(
        """async () => {
          const ran = [];
          const attempt = async (name, run) => {
            try { if (await run()) ran.push(name); } catch { /* expected */ }
          };
          const wait = () => new Promise((resolve) => setTimeout(resolve, 100));
          await attempt('inline', async () => {
            const script = document.createElement('script');
            script.textContent = 'window.hit = 1';
            document.body.append(script);
            await wait();
            return window.hit;
          });
          await attempt('markup', () => {
            document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=hit=1>');
            return true;
          });
          // In a timer, because code that the debugger runs may call eval.
          await attempt('eval', () => new Promise((resolve) => setTimeout(() => {
            try { resolve((0, eval)('1')); } catch { resolve(false); }
          })));
          await attempt('handler', async () => {
            document.body.setAttribute('onclick', 'window.hit = 2');
            document.body.click();
            return window.hit === 2;
          });
          await attempt('connect', () => fetch('http://localhost:1/').then(() => true));
          await attempt('javascript:', async () => {
            const link = Object.assign(document.createElement('a'),
              { href: 'javascript:window.hit = 3' });
            document.body.append(link);
            link.click();
            await wait();
            return window.hit === 3;
          });
          await attempt('frame', async () => {
            const frame = document.createElement('iframe');
            frame.src = 'data:text/html,x';
            const isLoaded = new Promise((resolve) => {
              const refused = () => resolve(false);
              document.addEventListener('securitypolicyviolation', refused);
              setTimeout(() => resolve(true), 1000);
            });
            document.body.append(frame);
            return isLoaded;
          });
          return ran;
        }"""
    )

    assert ran == []
