"use strict";
// Asks the browser for a passkey, or to make one, and posts what it answers (WebAuthn level 3). The pages work with no other script.
(() => {
  const decode = (text) => {
    const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(binary, (c) => c.charCodeAt(0)).buffer;
  };
  const encode = (buffer) => {
    let binary = "";
    for (const octet of new Uint8Array(buffer)) binary += String.fromCharCode(octet);
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };
  const listed = (list) => (list || []).map((c) => Object.assign({}, c, { id: decode(c.id) }));

  // Browsers that know only level 2 have none of the conversions.
  const read = (json) => {
    if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(json);
    return Object.assign({}, json, { challenge: decode(json.challenge), allowCredentials: listed(json.allowCredentials) });
  };
  const readNew = (json) => {
    if (PublicKeyCredential.parseCreationOptionsFromJSON) return PublicKeyCredential.parseCreationOptionsFromJSON(json);
    return Object.assign({}, json, {
      challenge: decode(json.challenge),
      user: Object.assign({}, json.user, { id: decode(json.user.id) }),
      excludeCredentials: listed(json.excludeCredentials),
    });
  };
  const write = (credential) => {
    if (credential.toJSON) return credential.toJSON();
    const response = credential.response;
    const written = { clientDataJSON: encode(response.clientDataJSON) };
    if (response.attestationObject) {
      written.attestationObject = encode(response.attestationObject);
      written.transports = response.getTransports ? response.getTransports() : [];
    } else {
      written.authenticatorData = encode(response.authenticatorData);
      written.signature = encode(response.signature);
      written.userHandle = response.userHandle ? encode(response.userHandle) : undefined;
    }
    return {
      id: credential.id,
      rawId: encode(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment || undefined,
      clientExtensionResults: credential.getClientExtensionResults(),
      response: written,
    };
  };

  // Login: the answer is a form.
  const use = (form) => {
    const button = document.getElementById("passkey-use");
    const status = document.getElementById("passkey-status");
    const post = (name, value) => {
      form.elements[name].disabled = false;
      form.elements[name].value = value;
      HTMLFormElement.prototype.submit.call(form);
    };
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (button.disabled) return;
      button.disabled = true;
      status.textContent = form.dataset.waiting;
      try {
        const publicKey = read(JSON.parse(form.dataset.options));
        post("credential", JSON.stringify(write(await navigator.credentials.get({ publicKey }))));
      } catch (error) {
        post("error", error.name);
      }
    });
    button.hidden = false;
  };

  // Enrolment: two questions in JSON, one for the options and one with the answer of the device.
  const make = (form) => {
    const button = document.getElementById("enrol-make");
    const status = document.getElementById("enrol-status");
    const alert = document.getElementById("enrol-alert");
    const ticket = form.elements.ticket;
    const title = document.title;
    const said = { "not enrolled": "notEnrolled", "not proven": "notProven", unsuitable: "unsuitable", expired: "expired" };

    const fail = (what) => {
      button.disabled = false;
      status.textContent = "";
      alert.hidden = false;
      document.getElementById("enrol-alert-text").textContent = form.dataset[what];
      document.title = form.dataset.failed + title;
      if (what === "notEnrolled") {
        ticket.setAttribute("aria-invalid", "true");
        ticket.setAttribute("aria-describedby", "enrol-alert-text enrol-intro");
        ticket.focus();
      }
    };
    const send = async (body) => {
      const answer = await fetch(form.action, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), redirect: "error",
      });
      if (answer.status === 204) return null;
      const json = await answer.json();
      if (!answer.ok) throw { refused: said[json.error] || "unavailable" };
      return json;
    };

    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (button.disabled) return;
      button.disabled = true;
      alert.hidden = true;
      document.title = title;
      ticket.removeAttribute("aria-invalid");
      status.textContent = form.dataset.waiting;
      const text = ticket.value.trim();
      let made;
      try {
        const publicKey = readNew(await send({ ticket: text }));
        try {
          made = await navigator.credentials.create({ publicKey });
        } catch (error) {
          fail(error.name === "InvalidStateError" ? "again" : "cancelled");
          return;
        }
        await send({ ticket: text, credential: write(made) });
      } catch (error) {
        fail(error.refused || "unavailable");
        return;
      }
      location.assign(form.dataset.done);
    });
    ticket.value = location.hash.slice(1); // a ticket is written in letters that addresses leave as they are
    form.hidden = false;
  };

  if (!window.PublicKeyCredential || !navigator.credentials) {
    document.getElementById("passkey-missing").hidden = false;
    return;
  }
  const login = document.getElementById("passkey");
  if (login) use(login);
  else make(document.getElementById("enrol"));
})();

// Whoever comes back to the page finds it as it was.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
