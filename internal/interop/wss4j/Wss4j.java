import java.security.KeyStore;
import java.security.PublicKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.xml.crypto.dsig.Reference;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSDataRef;
import org.apache.ws.security.WSEncryptionPart;
import org.apache.ws.security.WSSConfig;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.WSSecurityEngineResult;
import org.apache.ws.security.WSSecurityException;
import org.apache.ws.security.components.crypto.Merlin;
import org.apache.ws.security.handler.RequestData;
import org.apache.ws.security.message.WSSecHeader;
import org.apache.ws.security.message.WSSecSignature;
import org.apache.ws.security.message.WSSecTimestamp;
import org.apache.ws.security.processor.Processor;
import org.apache.xml.security.Init;
import org.apache.xml.security.exceptions.XMLSecurityException;
import org.apache.xml.security.signature.XMLSignature;
import org.apache.xml.security.transforms.Transforms;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** Apache WSS4J for the header, Apache Santuario for enveloped signatures. */
public final class Wss4j implements Stack {
    private static final String ALIAS = "key", PASSWORD = "password";

    public Wss4j() {
        WSSConfig.init();
        Init.init();
    }

    /** One Signature over the Request, of Santuario by its own API, as the platform's connector makes it. */
    @Override
    public void signRequest(Element request, Credential holder, String variant) throws Exception {
        boolean sha1 = variant.equals("default");
        request.setIdAttributeNS(null, "RequestID", true);
        XMLSignature signature = new XMLSignature(request.getOwnerDocument(), "", holder.method(sha1), Names.EXCLUSIVE);
        request.insertBefore(signature.getElement(), request.getFirstChild());
        Transforms transforms = new Transforms(request.getOwnerDocument());
        transforms.addTransform(Names.ENVELOPED);
        transforms.addTransform(Names.EXCLUSIVE);
        signature.addDocument("#" + request.getAttribute("RequestID"), transforms, sha1 ? Names.SHA1 : Names.SHA256);
        signature.addKeyInfo(holder.certificate());
        signature.sign(holder.key());
    }

    @Override
    public void secure(Document message, Credential identity, Instant created, String variant) throws Exception {
        WSSecSignature signature = signature(identity, variant);
        signature.setKeyIdentifierType(WSConstants.BST_DIRECT_REFERENCE);
        WSSecHeader header = header(message, created, variant);
        signature.prepare(message, crypto(identity), header);
        signature.appendBSTElementToHeader(header);
        List<WSEncryptionPart> parts = parts(variant);
        if (variant.equals("str-transform")) parts.add(part(signature.getSecurityTokenReferenceURI(), "STRTransform"));
        else if (!variant.equals("token-unsigned")) parts.add(new WSEncryptionPart(signature.getBSTTokenId()));
        sign(signature, parts, header);
    }

    @Override
    public void secure(Document message, Element assertion, Credential holder, Instant created, String variant) throws Exception {
        // A build without OpenSAML has no WSSecSignatureSAML: the reference is a custom KeyIdentifier.
        WSSecSignature signature = signature(holder, variant);
        signature.setKeyIdentifierType(WSConstants.CUSTOM_KEY_IDENTIFIER);
        signature.setCustomTokenValueType(WSConstants.WSS_SAML_KI_VALUE_TYPE);
        signature.setCustomTokenId(assertion.getAttribute("AssertionID"));
        signature.setSignatureAlgorithm(holder.method(variant.equals("default"))); // with such a reference it has no default
        WSSecHeader header = header(message, created, variant);
        header.getSecurityHeader().appendChild(assertion);
        signature.prepare(message, crypto(holder), header);
        sign(signature, parts(variant), header);
    }

    /** Without "plain" it complies with the Basic Security Profile: InclusiveNamespaces everywhere. */
    private static WSSConfig config(String variant) {
        WSSConfig config = WSSConfig.getNewInstance();
        config.setWsiBSPCompliant(!variant.equals("plain"));
        return config;
    }

    private static WSSecSignature signature(Credential by, String variant) {
        WSSecSignature signature = new WSSecSignature(config(variant));
        signature.setUserInfo(ALIAS, PASSWORD);
        if (!variant.equals("default")) {
            signature.setSignatureAlgorithm(by.method(false));
            signature.setDigestAlgo(Names.SHA256);
        }
        return signature;
    }

    private static Merlin crypto(Credential by) throws Exception {
        KeyStore keys = KeyStore.getInstance(KeyStore.getDefaultType());
        keys.load(null, null);
        keys.setKeyEntry(ALIAS, by.key(), PASSWORD.toCharArray(), new Certificate[] {by.certificate()});
        Merlin crypto = new Merlin();
        crypto.setKeyStore(keys);
        return crypto;
    }

    private static WSSecHeader header(Document message, Instant created, String variant) throws Exception {
        WSSecHeader header = new WSSecHeader();
        header.insertSecurityHeader(message);
        WSSecTimestamp timestamp = new WSSecTimestamp(config(variant));
        timestamp.setTimeToLive(60);
        timestamp.prepare(message);
        if (variant.equals("stale")) {
            Dom.child(timestamp.getElement(), Names.WSU, "Created").setTextContent(created.toString());
            Dom.child(timestamp.getElement(), Names.WSU, "Expires").setTextContent(created.plusSeconds(60).toString());
        }
        header.getSecurityHeader().appendChild(timestamp.getElement());
        return header;
    }

    private static List<WSEncryptionPart> parts(String variant) {
        List<WSEncryptionPart> parts = new ArrayList<>();
        if (!variant.equals("body-unsigned")) parts.add(new WSEncryptionPart("Body", Names.SOAP, "Content"));
        parts.add(new WSEncryptionPart("Timestamp", Names.WSU, "Content"));
        return parts;
    }

    private static WSEncryptionPart part(String id, String name) {
        WSEncryptionPart part = new WSEncryptionPart(name, null, "Element");
        part.setId(id);
        return part;
    }

    private static void sign(WSSecSignature signature, List<WSEncryptionPart> parts, WSSecHeader header) throws WSSecurityException {
        List<Reference> references = signature.addReferencesToSign(parts, header);
        signature.computeSignature(references, false, null);
    }

    @Override
    public X509Certificate verifyAssertion(Element assertion) throws Exception {
        Element element = Dom.child(assertion, Names.DS, "Signature");
        X509Certificate certificate = Trust.certificate(element, "assertion signature");
        assertion.setIdAttributeNS(null, "AssertionID", true);
        try {
            XMLSignature signature = new XMLSignature(element, "", true);
            PublicKey key = certificate.getPublicKey();
            Refused.unless(signature.getSignedInfo().getLength() == 1
                    && signature.getSignedInfo().item(0).getURI().equals("#" + assertion.getAttribute("AssertionID")) && signature.checkSignatureValue(key), "assertion signature");
        } catch (XMLSecurityException e) {
            throw new Refused("assertion signature");
        }
        return certificate;
    }

    @Override
    public Element verifyCall(Document message, Trust trust) throws Exception {
        Element body = Dom.child(message.getDocumentElement(), Names.SOAP, "Body");
        Element security = Dom.child(Dom.child(message.getDocumentElement(), Names.SOAP, "Header"), Names.WSSE, "Security");
        Token token = new Token(this, trust);
        WSSConfig config = WSSConfig.getNewInstance();
        config.setWsiBSPCompliant(false); // it would ask the assertion for a BinarySecurityToken's EncodingType
        config.setTimeStampFutureTTL(60);
        config.setProcessor(WSSecurityEngine.SAML_TOKEN, token);
        RequestData data = new RequestData();
        data.setWssConfig(config);
        WSSecurityEngine engine = new WSSecurityEngine();
        engine.setWssConfig(config); // whence it takes the processors; the rest is of the RequestData
        List<WSSecurityEngineResult> results;
        try {
            results = engine.processSecurityHeader(security, data);
        } catch (WSSecurityException e) {
            if (token.refused != null) throw token.refused;
            throw new Refused(e.getErrorCode() == WSSecurityException.MESSAGE_EXPIRED ? "timestamp" : "message signature");
        }
        Set<Element> signed = new HashSet<>();
        for (WSSecurityEngineResult result : results)
            if (Integer.valueOf(WSConstants.SIGN).equals(result.get(WSSecurityEngineResult.TAG_ACTION)))
                for (Object reference : (List<?>) result.get(WSSecurityEngineResult.TAG_DATA_REF_URIS)) signed.add(((WSDataRef) reference).getProtectedElement());
        Refused.unless(token.assertion != null && signed.contains(body) && signed.contains(Dom.child(security, Names.WSU, "Timestamp")), "message signature");
        return token.assertion;
    }

    /**
     * Verifies the assertion in the header, and gives WSS4J its holder's certificate as if it had stood in a
     * BinarySecurityToken: then WSS4J's own processor finds the key by the AssertionID in the KeyIdentifier.
     */
    private static final class Token implements Processor {
        private final Stack stack;
        private final Trust trust;
        Element assertion;
        Refused refused;

        Token(Stack stack, Trust trust) {
            this.stack = stack;
            this.trust = trust;
        }

        @Override
        public List<WSSecurityEngineResult> handleToken(Element element, RequestData data, org.apache.ws.security.WSDocInfo info) throws WSSecurityException {
            if (assertion != null) throw new WSSecurityException(WSSecurityException.INVALID_SECURITY);
            X509Certificate holder;
            try {
                holder = trust.holder(element, stack);
            } catch (Exception e) {
                refused = e instanceof Refused r ? r : new Refused("assertion signature");
                throw new WSSecurityException(WSSecurityException.FAILED_AUTHENTICATION);
            }
            assertion = element;
            WSSecurityEngineResult result = new WSSecurityEngineResult(WSConstants.BST);
            result.put(WSSecurityEngineResult.TAG_X509_CERTIFICATES, new X509Certificate[] {holder});
            result.put(WSSecurityEngineResult.TAG_X509_CERTIFICATE, holder);
            result.put(WSSecurityEngineResult.TAG_VALIDATED_TOKEN, Boolean.TRUE); // Trust verified its chain
            result.put(WSSecurityEngineResult.TAG_ID, element.getAttribute("AssertionID"));
            info.addResult(result);
            return List.of(result);
        }
    }
}
