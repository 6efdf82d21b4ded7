import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.UUID;
import javax.security.auth.x500.X500Principal;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** Asks for tokens and calls with them. */
final class Consumer {
    // Declared here: the canonicalizer reads declarations as attributes, which createElementNS does not make.
    private static final String OPEN = "<soapenv:Envelope xmlns:soapenv=\"" + Names.SOAP + "\" xmlns:wsse=\"" + Names.WSSE
            + "\" xmlns:wsu=\"" + Names.WSU + "\"><soapenv:Header/><soapenv:Body>";
    private static final String CLOSE = "</soapenv:Body></soapenv:Envelope>";

    private final Stack stack;
    private final String template;
    private final HttpClient client = HttpClient.newHttpClient();

    Consumer(Stack stack, String template) {
        this.stack = stack;
        this.template = template;
    }

    String token(String url, String ssin, Credential identity, Credential holder, Path out, String variant) throws Exception {
        Instant created = created(variant), now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        String text = template.replace("{UUID}", UUID.randomUUID().toString()).replace("{NOW}", now.toString())
                .replace("{END}", now.plus(8, ChronoUnit.HOURS).toString()).replace("{SSIN}", ssin)
                .replace("{SUBJECT}", name(identity.certificate().getSubjectX500Principal()))
                .replace("{ISSUER}", name(identity.certificate().getIssuerX500Principal()))
                .replace("{HOLDER}", Base64.getEncoder().encodeToString(holder.certificate().getEncoded()));
        Document message = Dom.parse(OPEN + text + CLOSE);
        if (!identity.certificate().equals(holder.certificate())) stack.signRequest(Dom.below(message, "Request"), holder, variant);
        stack.secure(message, identity, created, variant);
        if (variant.equals("changed-body")) change(Dom.below(message, "AttributeValue"));
        Document answer = send(url, "urn:be:fgov:ehealth:sts:protocol:v1:RequestSecurityToken", message);
        if (Dom.below(answer, "Fault") != null) return fault(answer);
        Element status = Dom.below(answer, "StatusMessage");
        if (!Dom.below(answer, "StatusCode").getAttribute("Value").endsWith("Success")) return "status " + Dom.text(status);
        Element assertion = Dom.below(answer, "Assertion");
        stack.verifyAssertion(assertion);
        Files.writeString(out, Dom.write(assertion));
        return "ok " + value(assertion, "Attribute", "AttributeName");
    }

    String call(String url, Path assertionFile, Credential holder, String variant) throws Exception {
        Document message = Dom.parse(OPEN + "<t:Ask xmlns:t=\"urn:sceau:interop\">doctor?</t:Ask>" + CLOSE);
        Element assertion = (Element) message.importNode(Dom.parse(Files.readAllBytes(assertionFile)).getDocumentElement(), true);
        stack.secure(message, assertion, holder, created(variant), variant);
        if (variant.equals("changed-body")) change(Dom.below(message, "Ask"));
        Document answer = send(url, "urn:sceau:interop:Ask", message);
        if (Dom.below(answer, "Fault") != null) return fault(answer);
        return "ok " + value(answer, "Attribute", "Name");
    }

    private static Instant created(String variant) {
        Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        return variant.equals("stale") ? now.minus(1, ChronoUnit.HOURS) : now;
    }

    private static void change(Element e) {
        e.setTextContent(e.getTextContent() + "1");
    }

    /** RFC 1779, as the official connector writes names: OID.2.5.4.5=… */
    private static String name(X500Principal principal) {
        return principal.getName(X500Principal.RFC1779).replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
    }

    private Document send(String url, String action, Document message) throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).header("Content-Type", "text/xml; charset=utf-8")
                .header("SOAPAction", "\"" + action + "\"").POST(HttpRequest.BodyPublishers.ofString(Dom.write(message))).build();
        return Dom.parse(client.send(request, HttpResponse.BodyHandlers.ofByteArray()).body());
    }

    private static String fault(Document answer) {
        String code = Dom.text(Dom.below(answer, "faultcode"));
        return "fault " + code.substring(code.indexOf(':') + 1) + " " + Dom.text(Dom.below(answer, "Code"));
    }

    /** The value of doctor:boolean. */
    private static String value(Node root, String element, String attribute) {
        Element top = root instanceof Document d ? d.getDocumentElement() : (Element) root;
        var all = top.getElementsByTagNameNS("*", element);
        for (int i = 0; i < all.getLength(); i++)
            if (((Element) all.item(i)).getAttribute(attribute).equals(Names.DOCTOR)) return all.item(i).getTextContent();
        return "";
    }
}
