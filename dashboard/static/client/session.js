// @ts-check
// The user's session: the role that the host wrote into the page, sign-out, and whether the
// session has ended. The host decides what a role may do; the page only hides the rest.

/** @param {() => void} redraw */
export function createSession(redraw) {
  const { role } = document.body.dataset;
  const session = {
    is_reader: role === 'reader',
    /** False without a token: there is no session then. */
    can_sign_out: role === 'operator' || role === 'reader',
    has_ended: false,

    /** Ask the host, because an EventSource does not report a 401. */
    async check() {
      if (!session.can_sign_out) return;
      const answer = await fetch('agents', { method: 'HEAD' }).catch(() => null);
      if (!answer) return;
      session.has_ended = answer.status === 401;
      redraw();
    },

    async signOut() {
      await fetch('logout', { method: 'POST' }).catch(() => null);
      location.assign('login');
    },
  };
  return session;
}
