import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.time.Instant;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.Map;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.OutputKeys;
import javax.xml.transform.Transformer;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** The service: from the octets of a request to those of its answer. One thread. */
final class Service {
    private final Instant now;
    private final Trust platform;
    private final Engine engine;
    private final Header header;
    private final Answer answer;
    private final DocumentBuilder builder;
    private final Transformer writer = TransformerFactory.newInstance().newTransformer();

    Service(String kind, Path dir) throws Exception {
        now = Instant.ofEpochSecond(Long.parseLong(Files.readString(dir.resolve("now")).trim()));
        boolean keep = !kind.equals("santuario-each");
        Trust citizens = new Trust(dir, "citizen", Date.from(now), keep);
        platform = new Trust(dir, "ehealth", Date.from(now), keep);
        PrivateKey key = privateKey(Files.readAllBytes(dir.resolve("sts.key.der")));
        engine = kind.equals("jdk") ? new Jdk(key) : new Santuario(key);
        header = kind.equals("wss4j") ? new Wss4j(citizens, now) : Header.with(engine, citizens, now);
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        builder = factory.newDocumentBuilder();
        builder.setErrorHandler(null);
        String certificate = Base64.getEncoder().encodeToString(Files.readAllBytes(dir.resolve("sts.der")));
        answer = new Answer(builder, engine, now, facts(dir), certificate);
        writer.setOutputProperty(OutputKeys.OMIT_XML_DECLARATION, "yes");
    }

    private static PrivateKey privateKey(byte[] pkcs8) throws GeneralSecurityException {
        try {
            return KeyFactory.getInstance("RSA").generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
        } catch (GeneralSecurityException e) {
            return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
        }
    }

    private static Map<String, String> facts(Path dir) throws Exception {
        Map<String, String> facts = new HashMap<>();
        for (String line : Files.readAllLines(dir.resolve("facts.tsv"))) {
            String[] columns = line.split("\t");
            facts.put(columns[0], columns[1]);
        }
        return facts;
    }

    /** Answers one message. */
    byte[] answer(byte[] message) throws Exception {
        Document document = builder.parse(new ByteArrayInputStream(message));
        Element envelope = document.getDocumentElement();
        Element body = Dom.required(Dom.child(envelope, Names.SOAP, "Body"), "Body");
        Element security = Dom.required(Dom.child(Dom.child(envelope, Names.SOAP, "Header"), Names.WSSE, "Security"), "Security");
        X509Certificate identity = header.verify(security, body);
        Query query = Query.read(Dom.required(Dom.child(body, Names.SAMLP, "Request"), "Request"));
        X509Certificate holder = platform.verify(query.holder());
        Element inner = Dom.required(Dom.child(query.request(), Names.DS, "Signature"), "request signature");
        engine.verify(inner, holder.getPublicKey(), Dom.identify(query.request(), null, "RequestID"));
        query.claims(identity);
        Document out = answer.build(query);
        ByteArrayOutputStream octets = new ByteArrayOutputStream(16 << 10);
        writer.transform(new DOMSource(out), new StreamResult(octets));
        return octets.toByteArray();
    }
}
