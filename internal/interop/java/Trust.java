import java.io.ByteArrayInputStream;
import java.security.cert.CertPathValidator;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.DateTimeException;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.Set;
import org.w3c.dom.Element;

/** Whom a provider trusts: the authority of holders, and token services by their certificates. */
record Trust(X509Certificate authority, List<X509Certificate> services) {
    /** The assertion is in its time, of a trusted token service, and its holder's certificate is good: gives that. */
    X509Certificate holder(Element assertion, Stack stack) throws Exception {
        Element conditions = Dom.child(assertion, Names.SAML, "Conditions");
        Refused.unless(conditions != null, "assertion expired");
        Instant now = Instant.now();
        try {
            Refused.unless(!now.isBefore(Instant.parse(conditions.getAttribute("NotBefore"))) && now.isBefore(Instant.parse(conditions.getAttribute("NotOnOrAfter"))), "assertion expired");
        } catch (DateTimeException e) {
            throw new Refused("assertion expired");
        }
        Refused.unless(services.contains(certificate(Dom.child(assertion, Names.DS, "Signature"), "sts untrusted")), "sts untrusted");
        try {
            stack.verifyAssertion(assertion);
        } catch (Exception e) {
            throw new Refused("assertion signature");
        }
        Element subject = Dom.child(Dom.child(assertion, Names.SAML, "AuthenticationStatement"), Names.SAML, "Subject");
        Element confirmation = Dom.child(subject, Names.SAML, "SubjectConfirmation");
        Refused.unless(Dom.text(Dom.child(confirmation, Names.SAML, "ConfirmationMethod")).equals(Names.HOLDER_OF_KEY), "holder untrusted");
        X509Certificate holder = certificate(confirmation, "holder untrusted");
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(authority, null)));
        parameters.setRevocationEnabled(false);
        try {
            CertPathValidator.getInstance("PKIX").validate(CertificateFactory.getInstance("X.509").generateCertPath(List.of(holder)), parameters);
        } catch (java.security.GeneralSecurityException e) {
            throw new Refused("holder untrusted");
        }
        return holder;
    }

    /** The certificate in the KeyInfo below. */
    static X509Certificate certificate(Element parent, String why) throws Exception {
        Element text = Dom.child(Dom.child(Dom.child(parent, Names.DS, "KeyInfo"), Names.DS, "X509Data"), Names.DS, "X509Certificate");
        Refused.unless(text != null, why);
        return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(Base64.getMimeDecoder().decode(text.getTextContent())));
    }
}
