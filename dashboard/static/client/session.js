// @ts-check
// Owns what the page knows of who looks at it: the role that the host wrote into the
// page, and whether the session has ended meanwhile.

/**
 * What a role may do is the host's to say; here it only says what is worth showing.
 * @param {() => void} redraw
 */
export function createSession(redraw) {
  const role = document.body.dataset.role;
  const session = {
    isReader: role === 'reader',
    /** Without a token there is nothing to sign in to, or out of. */
    canEnd: role === 'operator' || role === 'reader',
    hasEnded: false,

    /** An EventSource does not tell a refusal from a broken line. */
    async check() {
      if (!session.canEnd) return;
      const answer = await fetch('agents', { method: 'HEAD' }).catch(() => null);
      if (!answer) return;
      session.hasEnded = answer.status === 401;
      redraw();
    },

    async end() {
      await fetch('logout', { method: 'POST' }).catch(() => null);
      location.assign('login');
    },
  };
  return session;
}
