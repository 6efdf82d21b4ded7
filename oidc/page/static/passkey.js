"use strict";
// Asks the browser for a passkey and posts what it answers (WebAuthn level 3). The page works with no other script.
(() => {
  const form = document.getElementById("passkey");
  const button = document.getElementById("passkey-use");
  const status = document.getElementById("passkey-status");

  if (!window.PublicKeyCredential || !navigator.credentials) {
    document.getElementById("passkey-missing").hidden = false;
    return;
  }

  const decode = (text) => {
    const binary = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
    return Uint8Array.from(binary, (c) => c.charCodeAt(0)).buffer;
  };
  const encode = (buffer) => {
    let binary = "";
    for (const octet of new Uint8Array(buffer)) binary += String.fromCharCode(octet);
    return btoa(binary).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  };

  // Browsers that know only level 2 have neither of the two conversions.
  const read = (json) => {
    if (PublicKeyCredential.parseRequestOptionsFromJSON) return PublicKeyCredential.parseRequestOptionsFromJSON(json);
    const options = Object.assign({}, json, { challenge: decode(json.challenge) });
    options.allowCredentials = (json.allowCredentials || []).map((c) => Object.assign({}, c, { id: decode(c.id) }));
    return options;
  };
  const write = (credential) => {
    if (credential.toJSON) return credential.toJSON();
    const response = credential.response;
    return {
      id: credential.id,
      rawId: encode(credential.rawId),
      type: credential.type,
      authenticatorAttachment: credential.authenticatorAttachment || undefined,
      clientExtensionResults: credential.getClientExtensionResults(),
      response: {
        clientDataJSON: encode(response.clientDataJSON),
        authenticatorData: encode(response.authenticatorData),
        signature: encode(response.signature),
        userHandle: response.userHandle ? encode(response.userHandle) : undefined,
      },
    };
  };

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
})();

// Whoever comes back to the page finds it as it was.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
