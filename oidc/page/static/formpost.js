"use strict";
// The answer to the application is posted at once; the button of the page is for browsers without this script.
HTMLFormElement.prototype.submit.call(document.getElementById("onward"));
