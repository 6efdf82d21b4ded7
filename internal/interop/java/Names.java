/** Namespaces, types and algorithms of the wire. */
final class Names {
    static final String SOAP = "http://schemas.xmlsoap.org/soap/envelope/";
    static final String WSS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
    static final String WSSE = WSS + "wssecurity-secext-1.0.xsd";
    static final String WSU = WSS + "wssecurity-utility-1.0.xsd";
    static final String BASE64 = WSS + "soap-message-security-1.0#Base64Binary";
    static final String X509 = WSS + "x509-token-profile-1.0#X509v3";
    static final String ASSERTION_ID = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.0#SAMLAssertionID";
    static final String DS = "http://www.w3.org/2000/09/xmldsig#";
    static final String SAML = "urn:oasis:names:tc:SAML:1.0:assertion";
    static final String SAMLP = "urn:oasis:names:tc:SAML:1.0:protocol";
    static final String HOLDER_OF_KEY = "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key";
    static final String DOCTOR = "urn:be:fgov:person:ssin:doctor:boolean";
    static final String EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
    static final String ENVELOPED = DS + "enveloped-signature";
    static final String SHA1 = DS + "sha1";
    static final String SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256";
    static final String RSA_SHA1 = DS + "rsa-sha1";
    static final String RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    static final String ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";

    private Names() {}
}
